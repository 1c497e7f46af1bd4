"""Forecasting: known models on known data, every bad input, never worse than naive, and sums that add up."""

import os
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pytest

from crm_mining.forecasting import arima, backtest
from crm_mining.forecasting.arima import Orders
from crm_mining.forecasting.backtest import Series
from crm_mining.forecasting.blend import ALL_METHODS, weigh
from crm_mining.forecasting.history import seasonal_naive
from crm_mining.forecasting.panel import forecast_series
from crm_mining.forecasting.seasons import forecast_profile, forecast_totals
from crm_mining.forecasting.smoothing import deseasonalise, forecast_smoothing
from crm_mining.forecasting.tables import (
    CALENDAR_COLUMNS,
    CANDIDATE_SCHEMA,
    candidates_from_tables,
    forecasts_from_tables,
)

TOURISM = Path(os.environ.get("CRM_REFERENCE_DATA", "../shared/data")) / "tourism" / "tourism_monthly.parquet"
AIR_PASSENGERS = np.array([
    112, 118, 132, 129, 121, 135, 148, 148, 136, 119, 104, 118, 115, 126, 141, 135, 125, 149,
    170, 170, 158, 133, 114, 140, 145, 150, 178, 163, 172, 178, 199, 199, 184, 162, 146, 166,
    171, 180, 193, 181, 183, 218, 230, 242, 209, 191, 172, 194, 196, 196, 236, 235, 229, 243,
    264, 272, 237, 211, 180, 201, 204, 188, 235, 227, 234, 264, 302, 293, 259, 229, 203, 229,
    242, 233, 267, 269, 270, 315, 364, 347, 312, 274, 237, 278, 284, 277, 317, 313, 318, 374,
    413, 405, 355, 306, 271, 306, 315, 301, 356, 348, 355, 422, 465, 467, 404, 347, 305, 336,
    340, 318, 362, 348, 363, 435, 491, 505, 404, 359, 310, 337, 360, 342, 406, 396, 420, 472,
    548, 559, 463, 407, 362, 405, 417, 391, 419, 461, 472, 535, 622, 606, 508, 461, 390, 432,
], dtype="float64")  # fmt: skip
ENDS = ["forecast", "low_80", "high_80", "low_95", "high_95"]


def _tourism() -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    if not TOURISM.exists():
        pytest.skip(f"{TOURISM} is not there; CRM_REFERENCE_DATA names the folder of reference data")
    rows = pd.read_parquet(TOURISM).sort_values(["series", "t"])
    parts = {split: own.groupby("series")["value"] for split, own in rows.groupby("split")}
    train, test = ({str(k): v.to_numpy() for k, v in parts[split]} for split in ("train", "test"))
    return train, test


def test_seasonal_naive_is_exact_on_tourism() -> None:
    train, test = _tourism()
    errors = [np.mean(np.abs(test[k] - seasonal_naive(train[k], 12, 24)) / test[k]) for k in train]
    assert len(errors) == 366
    assert round(100 * float(np.mean(errors)), 2) == 22.56


def test_the_airline_model_has_its_published_coefficients() -> None:
    """Box & Jenkins' model as R's arima fits it by exact likelihood: -0.4018 and -0.5569, variance 0.001348."""
    y = np.log(AIR_PASSENGERS)
    start = arima.fit_conditional(y, Orders(0, 1, 1, 0, 1, 1, 12))
    assert start is not None
    fit = arima.fit_exactly(y, start)
    assert fit.method == arima.EXACT
    assert fit.ma[0] == pytest.approx(-0.4018, abs=0.003)
    assert fit.seasonal_ma[0] == pytest.approx(-0.5569, abs=0.003)
    assert fit.sigma2 == pytest.approx(0.001348, rel=0.01)


def test_air_passengers_get_a_seasonal_arima_that_forecasts() -> None:
    y = np.log(AIR_PASSENGERS)
    fit = arima.search(y[:-12], 12)
    assert fit is not None
    assert fit.orders.seasonal_d == 1
    assert 1 <= fit.orders.p + fit.orders.q + fit.orders.seasonal_p + fit.orders.seasonal_q <= 6
    ahead = np.exp(arima.forecast(y[:-12], arima.fit_exactly(y[:-12], fit), 12))
    actual = AIR_PASSENGERS[-12:]
    assert np.mean(np.abs(ahead - actual) / actual) < 0.06


def test_the_jacobian_is_the_slope_of_the_errors() -> None:
    draw = np.random.default_rng(1)
    w, x = draw.normal(size=80), draw.normal(size=(80, 1))
    problem = arima._Conditional(w, x, Orders(2, 0, 1, 1, 0, 1, 4))
    at = np.array([0.3, 0.2, -0.1, 0.4, 0.25, -0.3])
    found = problem.jacobian(at, problem.errors(at))
    for i in range(len(at)):
        move = np.zeros(len(at))
        move[i] = 1e-6
        slope = (problem.errors(at + move) - problem.errors(at - move)) / 2e-6
        np.testing.assert_allclose(found[:, i], slope, atol=1e-6)


def test_leaving_fits_that_cannot_win_finds_the_same_orders(monkeypatch: pytest.MonkeyPatch) -> None:
    series = [np.log(AIR_PASSENGERS), np.log(AIR_PASSENGERS[:96]), np.diff(np.log(AIR_PASSENGERS))]
    hasty = [arima.search(y, 12) for y in series]
    left = arima.fit_conditional(series[0], Orders(0, 1, 0, 0, 1, 0, 12), to_beat=-1000.0)
    assert left is not None
    assert left.aicc > -1000
    monkeypatch.setattr(arima, "_MOST_GAIN", np.inf)
    patient = [arima.search(y, 12) for y in series]
    assert [fit and fit.orders for fit in hasty] == [fit and fit.orders for fit in patient]
    assert all(fit is not None for fit in hasty)


def test_whole_seasons_are_carried_on_and_spread() -> None:
    shape = np.array([1.0, 5, 2, 2])
    steady = np.concatenate([[9.0, 9], np.tile(shape, 4)])
    for rule in (forecast_profile, forecast_totals):
        ahead = rule(steady, 4, 6)
        assert ahead is not None
        np.testing.assert_allclose(ahead, np.resize(shape, 6), rtol=1e-9)
        assert rule(shape, 4, 6) is None
        assert rule(np.concatenate([np.zeros(4), shape]), 4, 6) is None
    growing = forecast_totals(np.concatenate([shape * 2.0**year for year in range(6)]), 4, 8)
    assert growing is not None
    assert growing[:4].sum() < growing[4:].sum()


def test_the_classical_season_is_taken_off() -> None:
    for period in (4, 5):
        season = np.arange(period, dtype="float64") - (period - 1) / 2
        y = 10 + 0.5 * np.arange(6 * period + 2, dtype="float64") + np.resize(season, 6 * period + 2)
        rest, ahead = deseasonalise(y, period)
        np.testing.assert_allclose(rest, 10 + 0.5 * np.arange(len(y)), atol=1e-9)
        np.testing.assert_allclose(ahead, np.resize(season, 2 * period)[2 : 2 + period], atol=1e-9)


def test_smoothing_follows_a_trend_and_a_season() -> None:
    season = np.array([3.0, -1, -4, 2])
    y = 50 + 0.5 * np.arange(40) + np.resize(season, 40) + np.random.default_rng(2).normal(0, 0.01, 40)
    ahead, form = forecast_smoothing(y, 4, 8)
    np.testing.assert_allclose(ahead, 50 + 0.5 * np.arange(40, 48) + np.resize(season, 8), atol=0.1)
    assert form.startswith("ETS(A,A,A)")
    flat, form = forecast_smoothing(np.resize([9.0, 11.0, 10.0], 30) + 1e-3 * np.arange(30) % 2, 1, 5)
    np.testing.assert_allclose(flat, 10, atol=0.2)
    assert form.startswith("ETS(A,N,N)")


def test_methods_of_one_kind_share_a_vote() -> None:
    may_be_used = np.array([[method in ("arima", "log_arima", "theta") for method in ALL_METHODS]] * 2)
    may_be_used[1, ALL_METHODS.index("log_arima")] = False
    weights = weigh(np.ones((2, 3, len(ALL_METHODS), 4)), may_be_used)
    found = [dict(zip(ALL_METHODS, row, strict=True)) for row in weights]
    assert [found[0][method] for method in ("arima", "log_arima", "theta")] == pytest.approx([0.25, 0.25, 0.5])
    assert [found[1][method] for method in ("arima", "log_arima", "theta")] == pytest.approx([0.5, 0.0, 0.5])


def _bad() -> dict[str, tuple[object, str]]:
    draw = np.random.default_rng(0)
    noisy = 10 + draw.normal(size=60)
    noisy[[5, 6, 30]], noisy[40] = np.nan, np.inf
    spikes, spike = np.zeros(20), np.zeros(20)
    spikes[[0, 16]], spike[10] = (1.0, 5.0), 5.0
    return {
        "nothing": ([], "no_data"),
        "unknown": ([np.nan] * 20, "no_data"),
        "three points": ([1.0, 2, 3], "too_short"),
        "constant": ([7.0] * 40, "constant"),
        "zeros": ([0.0] * 40, "all_zero"),
        "single spike": (spike, "sparse"),
        "spike long ago": (np.r_[spike, np.zeros(20)], "dead"),
        "two spikes": (spikes, "sparse"),
        "missing months": (noisy, "ok"),
        "negative": (draw.normal(size=50), "ok"),
        "below zero": (-10 + draw.normal(size=50), "ok"),
        "sums to nothing": (np.tile([3.0, -1, -2], 20), "ok"),
        "dead": (np.r_[draw.poisson(5, 40) + 1.0, np.zeros(14)], "dead"),
        "new": (np.r_[np.zeros(30), draw.poisson(9, 10) + 1.0], "new"),
        "huge": (1e300 * np.ones(40), "no_data"),
        "two million": (100 + draw.normal(size=2_000_000), "ok"),
    }


@pytest.mark.parametrize("period", [1, 2, 12])
def test_bad_input_gets_a_status_and_a_forecast(period: int) -> None:
    cases = _bad()
    series = [Series(key, np.asarray(values, dtype="float64"), period) for key, (values, _) in cases.items()]
    rows = forecast_series(series, 6)
    ahead = rows[(rows["method"] == "shipped") & rows["actual"].isna()]
    assert np.isfinite(ahead[ENDS].to_numpy()).all()
    final = ahead[ahead["n_known"] == ahead["series_id"].map({one.key: len(one.values) for one in series})]
    assert (final.groupby("series_id").size() == 6).all()
    assert set(final["series_id"]) == set(cases)
    if period == 12:
        found = final.drop_duplicates("series_id").set_index("series_id")["status"].to_dict()
        assert found == {key: status for key, (_, status) in cases.items()}


def _hierarchy() -> tuple[list[Series], dict[str, tuple[str, str, str]]]:
    draw = np.random.default_rng(5)
    season = 1 + 0.4 * np.sin(2 * np.pi * np.arange(72) / 12)
    parts = {name: size * season * draw.lognormal(0, 0.2, 72) for name, size in (("a", 10), ("b", 30), ("c", 5))}
    series = [Series("total", sum(parts.values(), np.zeros(72)), 12), *(Series(k, v, 12) for k, v in parts.items())]
    return series, {one.key: ("g", "total" if one.key == "total" else "part", one.key) for one in series}


def test_it_adds_up_and_is_never_worse_than_naive() -> None:
    series, places = _hierarchy()
    rows = forecast_series(series, 12, places=places)
    shipped = rows[(rows["method"] == "shipped") & (rows["n_known"] == 72)].pivot(
        index="step", columns="series_id", values="forecast"
    )
    np.testing.assert_allclose(shipped[["a", "b", "c"]].sum(axis=1), shipped["total"], rtol=1e-6)
    tested = rows[rows["actual"].notna()].assign(error=lambda r: (r["forecast"] - r["actual"]).abs())
    means = tested.pivot_table(index="series_id", columns="method", values="error")
    assert (means["shipped"] <= means["seasonal_naive"] * (1 + 1e-6)).all()
    assert (means["shipped"] < 0.95 * means["seasonal_naive"]).any()
    weights = rows[(rows["n_known"] == 72) & (rows["step"] == 1)].groupby("series_id")["weight"].sum()
    np.testing.assert_allclose(weights, 1.0)


def test_the_number_of_processes_leaves_no_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    series, places = _hierarchy()
    alone = forecast_series(series, 6, places=places)
    monkeypatch.setattr(backtest, "MIN_PARALLEL", 2)
    pd.testing.assert_frame_equal(alone, forecast_series(series, 6, places=places, workers=2))


def test_a_subset_of_tourism_is_forecast_better_than_by_the_last_season() -> None:
    train, test = _tourism()
    keys = sorted(train)[::90]
    rows = forecast_series([Series(key, train[key], 12) for key in keys], 24)
    final = rows[rows["n_known"] == rows["series_id"].map({key: len(train[key]) for key in keys})]
    errors = {
        method: np.mean([
            np.abs(test[str(key)] - own.sort_values("step")["forecast"].to_numpy()).mean() / own["scale"].iloc[0]
            for key, own in part.groupby("series_id")
        ])
        for method, part in final.groupby("method")
    }  # fmt: skip
    assert errors["shipped"] < errors["seasonal_naive"]


def _relation(con: duckdb.DuckDBPyConnection, n: int) -> duckdb.DuckDBPyRelation:
    return con.sql(f"""
        select 'tickets|month|total|total' as series_id, 'tickets' as measure, 'month' as frequency,
            'total' as dimension, 'total' as member,
            (date '2020-02-01' + to_months(i::integer) - interval 1 day)::date as period_end_date,
            (20 + i % 7 + i % 5)::double as value
        from range({n}) as t(i)
    """)


def test_what_is_stored_is_not_forecast_again() -> None:
    with duckdb.connect() as con:
        first = candidates_from_tables(_relation(con, 36), None, horizons={"month": 6})
        assert first.num_rows > 0
        stored = con.from_arrow(first)
        again = candidates_from_tables(_relation(con, 36), stored, horizons={"month": 6})
        assert again.num_rows == 0
        later = candidates_from_tables(_relation(con, 37), stored, horizons={"month": 6})
        assert 0 < len(set(later["cutoff_date"].to_pylist())) <= backtest.N_TESTS + 1
        empty = con.from_arrow(CANDIDATE_SCHEMA.empty_table())
        nothing = candidates_from_tables(_relation(con, 0), empty, horizons={"month": 6})
        assert forecasts_from_tables(_relation(con, 0), con.from_arrow(nothing), horizons={"month": 6}).num_rows == 0


def test_never_refitting_keeps_what_is_stored_and_adds_what_is_not() -> None:
    with duckdb.connect() as con:
        stored = con.from_arrow(candidates_from_tables(_relation(con, 36), None, horizons={"month": 6}))
        changed = _relation(con, 36).project("* replace (value + 5 as value)")
        assert candidates_from_tables(changed, stored, horizons={"month": 6}, refit="never").num_rows == 0
        assert candidates_from_tables(changed, stored, horizons={"month": 6}).num_rows == len(stored)
        longer = candidates_from_tables(changed, stored, horizons={"month": 9}, refit="never")
        assert set(longer["step"].to_pylist()) == set(range(1, 10))
        shipped = forecasts_from_tables(changed, con.from_arrow(longer), horizons={"month": 9})
        ahead = shipped.to_pandas().query("is_final and method == 'shipped'")
        assert len(ahead) == 9
        assert np.isfinite(ahead[ENDS].to_numpy()).all()


def test_promotions_are_used_where_they_sell_and_not_where_they_do_not() -> None:
    days = np.random.default_rng(3).integers(0, 4, 72).astype("float64")
    ends = [date.date() for date in pd.date_range("2020-01-31", periods=72, freq="ME")]
    calendar = pd.DataFrame({name: np.zeros(72) for name in CALENDAR_COLUMNS}).assign(
        frequency="month", period_end_date=ends, event_days=days
    )
    noise = np.random.default_rng(4).normal(size=60)
    final = {}
    with duckdb.connect() as con:
        for effect in (0, 20):
            values = pd.DataFrame({"period_end_date": ends[:60], "sold": 100 + noise + effect * days[:60]})
            con.register("sold", values)
            series = con.sql(f"""
                select rows.* replace (sold.sold as value)
                from ({_relation(con, 60).sql_query()}) as rows inner join sold using (period_end_date)
            """)
            for given in (None, con.from_df(calendar)):
                rows = candidates_from_tables(series, None, given, horizons={"month": 12}).to_pandas()
                own = rows[(rows["method"] == "arima") & (rows["cutoff_date"] == rows["cutoff_date"].max())]
                final[effect, given is not None] = own.sort_values("step")
    assert final[20, True]["form"].str.endswith("with calendar").all()
    assert not final[0, True]["form"].str.endswith("with calendar").any()
    errors = {given: np.abs(final[20, given]["forecast"] - (100 + 20 * days[60:])).mean() for given in (True, False)}
    assert errors[True] < 2
    assert errors[False] > 5
    assert set(final[20, True]["history_hash"]) != set(final[20, False]["history_hash"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"horizons": {"day": 6}}, "frequency of forecast_horizons is 'day'; allowed: month, week"),
        ({"horizons": {"month": 0}}, "horizon of month is 0; allowed: 1 to 24"),
        ({"horizons": {"month": 6}, "refit": "often"}, "refit is 'often'; allowed: auto, always, never"),
        ({"horizons": {"month": 6}, "workers": 0}, "workers is 0; allowed: 1 and above"),
    ],
)
def test_an_impossible_parameter_is_named(arguments: dict[str, object], message: str) -> None:
    with duckdb.connect() as con, pytest.raises(ValueError, match=message):
        candidates_from_tables(_relation(con, 36), None, **arguments)  # type: ignore[arg-type]
