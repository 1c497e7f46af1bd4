"""Who is alive and what they are worth: published figures, known parameters found again, numbers that stay finite."""

import os
from datetime import date
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import hyp2f1

from crm_mining.value.alive import fit_alive_slope
from crm_mining.value.evaluation import evaluate_p_alive
from crm_mining.value.intervals import predictive_intervals
from crm_mining.value.purchases import expected_orders, fit_purchases, p_alive
from crm_mining.value.spend import expected_spend, fit_spend
from crm_mining.value.tables import (
    ALIVE_SLOPE,
    CALIBRATION_DAYS,
    fit_from_tables,
    fit_value,
    score_from_tables,
    score_value,
)
from crm_mining.value.vocabulary import (
    BG,
    CONVERGED,
    MAXIMUM_LIKELIHOOD,
    MBG,
    MOMENTS,
    NOT_CONVERGED,
    RANGES,
    SPEND,
    TOO_FEW,
)

PROJECT = Path(__file__).resolve().parents[3]
REFERENCE_DATA = Path(os.environ.get("CRM_REFERENCE_DATA") or PROJECT.parent / "shared" / "data")
CDNOW = REFERENCE_DATA / "cdnow" / "CDNOW_sample.txt"
needs_reference_data = pytest.mark.skipif(
    not CDNOW.is_file(), reason=f"no reference data: {CDNOW} (set CRM_REFERENCE_DATA)"
)
#: The published parameters of CDNOW, in weeks.
PURCHASES = {"r": 0.2426, "alpha": 4.4135, "a": 0.7929, "b": 2.4258}
SPENDING = {"p": 6.25, "q": 3.745, "gamma": 15.45}


@pytest.fixture(scope="module")
def cdnow() -> pd.DataFrame:
    """One row per customer, in weeks: the first 39 weeks of 1997, and orders and amount of the 39 weeks after."""
    lines = pd.read_csv(CDNOW, sep=r"\s+", header=None, names=["master", "customer", "day", "units", "amount"])
    lines["day"] = pd.to_datetime(lines["day"].astype(str))
    orders = lines.groupby(["customer", "day"], as_index=False)["amount"].sum()
    orders["first"] = orders.groupby("customer")["day"].transform("min")
    end = pd.Timestamp("1997-09-30")
    later = orders[(orders["day"] > end) & (orders["day"] <= end + pd.Timedelta(weeks=39))].groupby("customer")
    repeat = orders[(orders["day"] > orders["first"]) & (orders["day"] <= end)].groupby("customer")
    customers = orders.groupby("customer")[["first"]].first()
    customers["x"] = repeat.size()
    customers["t_x"] = (repeat["day"].max() - customers["first"]).dt.days / 7
    customers["age"] = (end - customers["first"]).dt.days / 7
    customers["mean_amount"] = repeat["amount"].mean()
    customers["orders_after"], customers["amount_after"] = later.size(), later["amount"].sum()
    filled = ["x", "t_x", "orders_after", "amount_after"]
    customers[filled] = customers[filled].fillna(0)
    return customers


@needs_reference_data
def test_bg_nbd_of_cdnow_is_as_published(cdnow: pd.DataFrame) -> None:
    fit = fit_purchases(cdnow["x"], cdnow["t_x"], cdnow["age"])
    assert (fit.method, fit.status, fit.n_customers) == (MAXIMUM_LIKELIHOOD, CONVERGED, 2357)
    assert fit.parameters == pytest.approx(PURCHASES, abs=5e-4)
    assert fit.log_likelihood == pytest.approx(-9582.43, abs=0.005)
    assert all(low < fit.parameters[name] < high for name, (low, high) in fit.intervals.items())


@needs_reference_data
def test_gamma_gamma_of_cdnow_is_as_published(cdnow: pd.DataFrame) -> None:
    fit = fit_spend(cdnow["x"], cdnow["mean_amount"])
    assert (fit.method, fit.status, fit.n_customers) == (MAXIMUM_LIKELIHOOD, CONVERGED, 946)
    assert fit.parameters == pytest.approx(SPENDING, abs=0.01)
    assert fit.log_likelihood == pytest.approx(-4055.92, abs=0.005)


@needs_reference_data
def test_the_next_39_weeks_of_cdnow_are_forecast_as_well_as_published(cdnow: pd.DataFrame) -> None:
    fit = fit_purchases(cdnow["x"], cdnow["t_x"], cdnow["age"])
    expected = expected_orders(cdnow["x"], cdnow["t_x"], cdnow["age"], fit.parameters, 39)
    error = expected - cdnow["orders_after"]
    assert cdnow["orders_after"].sum() == 1882
    assert 1652.5 < expected.sum() < 2111, "no further from 1,882 than the published 1,653"
    assert error.abs().mean() <= 0.78555
    assert np.sqrt((error**2).mean()) <= 1.6085


@needs_reference_data
def test_intervals_hold_95_of_100_customers_of_cdnow(cdnow: pd.DataFrame) -> None:
    days = pd.DataFrame(
        {
            "n_repeat_orders": cdnow["x"],
            "recency_days": cdnow["t_x"] * 7,
            "age_days": cdnow["age"] * 7,
            "mean_repeat_amount": cdnow["mean_amount"],
        }
    )
    terms = fit_value(days)
    scores = score_value(days, terms, horizons=[273])
    assert set(scores["method"]) == {BG}
    for name, actual in (("orders", cdnow["orders_after"]), ("value", cdnow["amount_after"])):
        low, high = scores[f"expected_{name}_273_low"], scores[f"expected_{name}_273_high"]
        assert 0.94 < actual.between(low - 1e-9, high + 1e-9).mean() < 0.985


def simulate(
    model: str, n: int, r: float, alpha: float, a: float, b: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draw customers who buy at a rate of their own until they leave, as both models have it."""
    draw = np.random.default_rng(5)
    rate, leaving, age = draw.gamma(r, 1 / alpha, n), draw.beta(a, b, n), draw.uniform(200, 700, n)
    x, t_x = np.zeros(n), np.zeros(n)
    at = np.zeros(n)
    lives = np.ones(n, dtype=bool) if model == BG else draw.random(n) >= leaving
    while lives.any():
        at = at + draw.exponential(1 / rate)
        bought = lives & (at <= age)
        x[bought] += 1
        t_x[bought] = at[bought]
        lives = bought & (draw.random(n) >= leaving)
    return x, t_x, age


@pytest.mark.parametrize("model", [BG, MBG])
def test_parameters_of_simulated_customers_are_found_again(model: str) -> None:
    truth = {"r": 0.8, "alpha": 60.0, "a": 0.9, "b": 3.0}
    x, t_x, age = simulate(model, 20_000, **truth)
    fit = fit_purchases(x, t_x, age, model=model)
    assert fit.status == CONVERGED
    for name, value in truth.items():
        assert fit.parameters[name] == pytest.approx(value, rel=0.12)
        # 99 % instead of 95 %: eight parameters are looked at.
        low, high = fit.intervals[name]
        margin = (high / low) ** 0.2
        assert low / margin < value < high * margin


def test_who_left_from_the_first_purchase_on_is_told_by_the_likelihood() -> None:
    x, t_x, age = simulate(MBG, 20_000, 0.8, 60.0, 0.9, 3.0)
    terms = fit_value(
        pd.DataFrame({"n_repeat_orders": x, "recency_days": t_x, "age_days": age, "mean_repeat_amount": np.nan})
    )
    assert terms[(terms["term"] == "is_chosen") & (terms["value"] == 1)]["model"].tolist() == [MBG]


def test_spending_of_simulated_customers_is_found_again() -> None:
    draw = np.random.default_rng(6)
    x = draw.integers(1, 8, 20_000)
    mean_amount = draw.gamma(4.0 * x) / draw.gamma(5.0, 1 / 80.0, 20_000) / x
    fit = fit_spend(x, mean_amount)
    assert fit.parameters == pytest.approx({"p": 4.0, "q": 5.0, "gamma": 80.0}, rel=0.1)


def test_rows_may_stand_for_several_customers() -> None:
    x, t_x, age = simulate(BG, 500, 0.8, 60.0, 0.9, 3.0)
    counts = np.arange(500) % 4
    once = fit_purchases(np.repeat(x, counts), np.repeat(t_x, counts), np.repeat(age, counts))
    counted = fit_purchases(x, t_x, age, counts)
    assert counted.log_likelihood == pytest.approx(once.log_likelihood)
    assert counted.parameters == pytest.approx(once.parameters, rel=1e-4)


def test_expected_orders_equal_the_published_formula() -> None:
    x, t_x, age = np.array([0, 1, 2, 7, 29.0]), np.array([0, 5, 30.43, 38, 38.0]), np.full(5, 38.86)
    r, alpha, a, b = PURCHASES.values()
    ratio = (alpha + age) / (alpha + age + 39)
    series = hyp2f1(r + x, b + x, a + b + x - 1, 39 / (alpha + age + 39))
    published = (a + b + x - 1) / (a - 1) * (1 - ratio ** (r + x) * series) * p_alive(x, t_x, age, PURCHASES)
    assert expected_orders(x, t_x, age, PURCHASES, 39) == pytest.approx(published, rel=1e-9)
    # The example of Fader, Hardie & Lee: customer 1 of the sample will buy 1.226 times in 39 weeks.
    assert expected_orders([2], [30.43], [38.86], PURCHASES, 39)[0] == pytest.approx(1.226, abs=5e-4)


def test_intervals_are_those_of_customers_who_live_on() -> None:
    """Simulated anew, with numbers of their own: one good customer's next year, and one who is probably gone."""
    draw = np.random.default_rng(8)
    n = 100_000
    for x, t_x, age, amount in ((6, 34.0, 38.0, 30.0), (2, 10.0, 60.0, 12.0)):
        r, alpha, a, b = PURCHASES.values()
        lives = draw.random(n) < p_alive([x], [t_x], [age], PURCHASES)[0]
        bought = draw.poisson(draw.gamma(r + x, 1 / (alpha + age), n) * 52)
        orders = np.where(lives, np.minimum(bought, draw.geometric(draw.beta(a, b + x, n))), 0)
        scale = draw.gamma(SPENDING["p"] * x + SPENDING["q"], 1 / (SPENDING["gamma"] + x * amount), n)
        value = draw.gamma(SPENDING["p"] * orders) / scale
        found = predictive_intervals([x], [t_x], [age], [amount], PURCHASES, SPENDING, 52).iloc[0]
        for name, actual in (("orders", orders), ("value", value)):
            low, high = np.quantile(actual, [0.025, 0.975])
            assert found[f"{name}_low"] == pytest.approx(low, rel=0.1, abs=1)
            assert found[f"{name}_high"] == pytest.approx(high, rel=0.1, abs=1)


def parameters_of(model: str) -> st.SearchStrategy[dict[str, float]]:
    """Parameters from end to end of what is allowed, in orders of magnitude, and usual ones."""
    return st.fixed_dictionaries(
        {
            name: st.one_of(
                st.sampled_from([low, high, max(low, 1.0)]),
                st.floats(np.log(low), np.log(high)).map(
                    lambda v, low=low, high=high: float(np.clip(np.exp(v), low, high))
                ),
            )
            for name, (low, high) in RANGES[model].items()
        }
    )


@settings(max_examples=150, deadline=None)
@given(
    model=st.sampled_from([BG, MBG]),
    parameters=parameters_of(BG),
    spend=parameters_of(SPEND),
    x=st.one_of(st.integers(0, 10), st.integers(0, 10_000)),
    age=st.one_of(st.floats(0, 1e5), st.sampled_from([0.0, 5e-324, 1.0, 1e5])),
    share=st.one_of(st.floats(0, 1), st.sampled_from([0.0, 1.0])),
    amount=st.one_of(st.just(float("nan")), st.floats(-1e3, 1e9)),
    slope=st.floats(0.1, 3.0),
)
def test_never_nan_or_infinite(
    model: str,
    parameters: dict[str, float],
    spend: dict[str, float],
    x: int,
    age: float,
    share: float,
    amount: float,
    slope: float,
) -> None:
    terms = [(model, name, value) for model in (BG, MBG) for name, value in parameters.items()]
    terms += [(SPEND, name, value) for name, value in spend.items()]
    terms += [(model, "is_chosen", 1.0), (model, ALIVE_SLOPE, slope)]
    table = pd.DataFrame(terms, columns=["model", "term", "value"]).assign(method=MAXIMUM_LIKELIHOOD)
    customer = {"n_repeat_orders": x, "recency_days": share * age, "age_days": age, "mean_repeat_amount": amount}
    scores = score_value(pd.DataFrame([customer]), table).iloc[0]
    numbers = scores.drop("method").astype("float64")
    assert np.isfinite(numbers).all()
    assert (numbers >= 0).all()
    assert scores["p_alive"] <= 1
    for horizon in (90, 365):
        for name in ("orders", "value"):
            column = f"expected_{name}_{horizon}"
            assert scores[f"{column}_low"] <= scores[column] <= scores[f"{column}_high"]
        bound = (parameters["r"] + x) / (parameters["alpha"] + age) * horizon
        assert scores[f"expected_orders_{horizon}"] <= bound * (1 + 1e-9)
    assert scores["expected_orders_90"] <= scores["expected_orders_365"] * (1 + 1e-9)


def month_by_month(n: int, rate: float, *, has_moods: bool) -> tuple[pd.DataFrame, np.ndarray]:
    """Draw customers of up to 26 months, of whom 4 % leave a month, and who is left; moods make them busy or quiet."""
    draw = np.random.default_rng(8)
    joined, is_left, is_busy = draw.integers(0, 20, n), np.ones(n, dtype=bool), draw.random(n) < 0.5
    own_rate = draw.gamma(2.0, rate / 2, n)
    end, before = 26 * 30, 26 * 30 - CALIBRATION_DAYS
    seen: dict[int, tuple[np.ndarray, np.ndarray]] = {}
    x, t_x = np.zeros(n), np.zeros(n)
    for month in range(26):
        if month * 30 == before:
            seen[before] = (x.copy(), t_x.copy())
        is_busy = np.where(draw.random(n) < 0.15, ~is_busy, is_busy)
        factor = np.where(is_busy, 1.9, 0.1) if has_moods else 1.0
        is_here = month >= joined
        is_left &= ~is_here | (draw.random(n) >= 0.04)
        count = draw.poisson(np.where(is_here & is_left, own_rate * factor, 0.0))
        last = (month - joined) * 30 + 30 * draw.random(n) ** (1 / np.maximum(count, 1))
        x, t_x = x + count, np.where(count > 0, np.floor(last), t_x)
    age = end - joined * 30.0
    had_joined = joined * 30 <= before
    then = [np.where(had_joined, value, np.nan) for value in seen[before]]
    rows = table(list(x), list(t_x), list(age), [np.nan] * n)
    return rows.assign(n_repeat_orders_before=then[0], recency_days_before=then[1]), is_left


def test_p_alive_learns_how_sure_it_may_be_from_who_bought() -> None:
    """The fit never sees who is still alive; that only judges it."""
    slopes = {}
    for has_moods in (False, True):
        customers, is_left = month_by_month(4000, 0.5, has_moods=has_moods)
        terms = fit_value(customers)
        row = terms[terms["term"] == ALIVE_SLOPE].iloc[0]
        assert row["status"] == CONVERGED
        assert row["interval_low"] < row["value"] < row["interval_high"]
        bare = terms[terms["term"] != ALIVE_SLOPE]
        found = [score_value(customers, some, horizons=[]) for some in (bare, terms)]
        judged = [evaluate_p_alive(s["p_alive"], is_left, s["p_alive"]).set_index("metric")["value"] for s in found]
        slopes[has_moods] = [row["value"], *(part["calibration_slope"] for part in judged)]
        # The order of the customers, and what is expected of them, stay as they were.
        assert judged[1]["roc_auc"] == pytest.approx(judged[0]["roc_auc"], abs=1e-4)
        few = [score_value(customers.head(20), some).drop(columns="p_alive") for some in (bare, terms)]
        assert few[0].equals(few[1])
    assert slopes[False][0] == pytest.approx(1.0, abs=0.15)
    assert slopes[True][0] < 0.85
    assert abs(slopes[True][2] - 1) < abs(slopes[True][1] - 1)
    assert 0.8 < slopes[True][2] < 1.2


def test_too_few_customers_leave_p_alive_as_it_is() -> None:
    assert fit_alive_slope([1, 0], [10, 0], [50, 60], [1, 0], 180)[::3] == (1.0, TOO_FEW)
    terms = fit_value(table([0] * 80, [0] * 80, [30] * 80, [np.nan] * 80))
    assert terms[terms["term"] == ALIVE_SLOPE]["value"].tolist() == [1.0]


def test_longer_silence_makes_departure_likelier() -> None:
    alive = p_alive(np.full(50, 5), np.linspace(0, 100, 50), np.full(50, 100.0), PURCHASES)
    assert (np.diff(alive) > 0).all()
    assert (np.diff(p_alive(np.zeros(50), np.zeros(50), np.linspace(0, 100, 50), PURCHASES, model=MBG)) < 0).all()
    assert p_alive([0], [0], [100], PURCHASES).tolist() == [1.0]


def test_spend_lies_between_the_customers_own_and_the_average() -> None:
    average = expected_spend([0], [np.nan], SPENDING)[0]
    assert average == pytest.approx(6.25 * 15.45 / 2.745)
    found = expected_spend([1, 3, 100], [10.0, 10.0, 10.0], SPENDING)
    assert average > found[0] > found[1] > found[2] > 10


def table(x: list[float], t_x: list[float], age: list[float], amount: list[float]) -> pd.DataFrame:
    return pd.DataFrame({"n_repeat_orders": x, "recency_days": t_x, "age_days": age, "mean_repeat_amount": amount})


@pytest.mark.parametrize(
    "customers",
    [
        table([], [], [], []).astype("float64"),
        table([0], [0], [0], [np.nan]),
        table([0, 0, 0], [0, 0, 0], [10, 20, 400], [np.nan] * 3),
        table([3, 0, 12], [40, 0, 100], [50, 300, 120], [20.0, np.nan, 5.0]),
    ],
    ids=["nobody", "bought today", "nobody came back", "three customers"],
)
def test_too_few_customers_fall_back_and_are_scored_all_the_same(customers: pd.DataFrame) -> None:
    terms = fit_value(customers)
    assert set(terms["method"]) == {MOMENTS}
    assert set(terms["status"]) == {TOO_FEW}
    scores = score_value(customers, terms)
    assert len(scores) == len(customers)
    assert np.isfinite(scores.drop(columns="method").to_numpy(dtype="float64")).all()
    assert set(scores["method"]) <= {"mbg_nbd_by_moments"}


def test_the_fall_back_knows_the_rate_of_many() -> None:
    """Rates that differ as Gamma(2) does, seen for long: the moments find both mean and shape."""
    draw = np.random.default_rng(9)
    customers = draw.poisson(draw.gamma(2.0, 1 / 100, 20) * 1000)
    fit = fit_purchases(customers, np.full(20, 900.0), np.full(20, 1000.0))
    assert fit.status == TOO_FEW
    assert fit.parameters["r"] / fit.parameters["alpha"] == pytest.approx(customers.mean() / 1000, rel=0.1)
    assert 1 < fit.parameters["r"] < 4


def test_spending_without_a_mean_falls_back() -> None:
    """Amounts so unequal that Gamma-Gamma would have an infinite mean."""
    amounts = np.exp(np.random.default_rng(4).standard_cauchy(400).clip(-15, 15))
    fit = fit_spend(np.ones(400), amounts)
    assert (fit.method, fit.status) == (MOMENTS, NOT_CONVERGED)
    assert expected_spend([0], [0], fit.parameters)[0] == pytest.approx(amounts.mean())


def test_customers_all_alike_are_fitted_at_a_bound_or_not_at_all() -> None:
    fit = fit_purchases(np.full(200, 5), np.full(200, 80.0), np.full(200, 100.0))
    assert fit.status != CONVERGED
    assert np.isfinite(expected_orders([5], [80], [100], fit.parameters, 90)).all()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: p_alive([1], [1], [2], PURCHASES | {"a": 0.0}), "a of bg_nbd is 0.0; allowed: 1e-06 to 1e[+]09"),
        (lambda: p_alive([1], [1], [2], {"r": 1.0}), "alpha of bg_nbd is nan; allowed"),
        (lambda: expected_spend([1], [1], SPENDING | {"q": 1.0}), "q of gamma_gamma is 1.0; allowed: 1.001 to"),
        (lambda: p_alive([-1], [1], [2], PURCHASES), "x is -1.0; allowed: finite numbers from 0"),
        (lambda: p_alive([1], [3], [2], PURCHASES), "t_x is 3; allowed: 0 to age, which is 2"),
        (lambda: p_alive([1, 2], [3], [4], PURCHASES), "x, t_x and age have 2, 1 and 1 rows; allowed: equally many"),
        (lambda: p_alive([1], [np.inf], [np.inf], PURCHASES), "t_x is inf; allowed: finite numbers from 0"),
        (lambda: expected_orders([1], [1], [2], PURCHASES, 0), "horizon is 0; allowed: above 0 to"),
        (lambda: fit_purchases([1], [1], [2], model="pareto"), "model is 'pareto'; allowed: bg_nbd, mbg_nbd"),
        (lambda: fit_purchases([1], [1], [2], [-1]), "n is -1.0; allowed: finite numbers from 0"),
        (lambda: expected_spend([1], [np.inf], SPENDING), "mean_amount is infinite; allowed: finite numbers"),
    ],
)
def test_messages_name_the_parameter_and_what_is_allowed(call: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()  # type: ignore[operator]


@pytest.fixture
def purchases() -> pd.DataFrame:
    x, t_x, age = simulate(MBG, 600, 0.8, 60.0, 0.9, 3.0)
    amount = np.where(x > 0, 20 + np.arange(600) % 50, np.nan)
    days = table(list(x), list(np.floor(t_x)), list(np.floor(age)), list(amount))
    days.insert(0, "customer_id", [f"C{i:03}" for i in range(600)])
    days.insert(1, "as_of_date", date(2024, 6, 30))
    return days.assign(
        n_repeat_orders_before=np.maximum(x - 1, 0), recency_days_before=np.minimum(np.floor(t_x), np.floor(age) - 180)
    ).astype({"n_repeat_orders_before": "Int64"})


def test_scores_from_tables_hang_on_neither_batches_nor_order_nor_others(purchases: pd.DataFrame) -> None:
    with duckdb.connect() as con:
        relation = con.from_df(purchases)
        fitted = fit_from_tables(relation)
        terms = con.from_arrow(fitted)

        def scored(rows: duckdb.DuckDBPyRelation, **options: int) -> pd.DataFrame:
            found = score_from_tables(rows, terms, **options).read_all().to_pandas()
            return found.sort_values("customer_id", ignore_index=True)

        scores = scored(relation)
        shuffled = con.from_df(purchases.sample(frac=1, random_state=1))
        pd.testing.assert_frame_equal(scored(shuffled, batch_size=37), scores)
        assert fit_from_tables(shuffled).equals(fitted)
        pd.testing.assert_frame_equal(scored(relation.filter("customer_id < 'C100'")), scores.iloc[:100])
    assert set(scores["fitted_as_of_date"]) == {date(2024, 6, 30)}


def test_stored_fits_are_kept_unless_a_refit_is_asked_for(purchases: pd.DataFrame) -> None:
    early, late, before = date(2024, 6, 30), date(2024, 9, 30), date(2024, 3, 31)
    with duckdb.connect() as con:
        both = pd.concat([purchases, purchases.assign(as_of_date=late)])
        relation = con.from_df(both).project("* replace (as_of_date::date as as_of_date)")
        terms = con.from_arrow(fit_from_tables(relation.filter(f"as_of_date = '{early}'")))
        stored = terms.project("as_of_date").distinct()
        asked = {
            refit: set(fit_from_tables(relation, stored, refit=refit)["as_of_date"].to_pylist())
            for refit in ("auto", "always", "never")
        }
        assert asked == {"auto": {late}, "always": {early, late}, "never": set()}
        with pytest.raises(ValueError, match="refit is 'yes'; allowed: auto, always, never"):
            fit_from_tables(relation, stored, refit="yes")
        # Without a fit of its own a date takes the last one before it, and never a later one.
        scores = score_from_tables(relation, terms).read_all()
        assert set(scores["fitted_as_of_date"].to_pylist()) == {early}
        assert set(scores["as_of_date"].to_pylist()) == {early, late}
        too_early = relation.project(f"* replace ('{before}'::date as as_of_date)")
        with pytest.raises(ValueError, match="as_of_date 2024-03-31 has no fit on or before it; set the var refit"):
            score_from_tables(too_early, terms).read_all()
        nobody = score_from_tables(relation.filter("false"), terms).read_all()
        assert nobody.num_rows == 0
        assert nobody.schema == scores.schema
        assert fit_from_tables(relation.filter("false")).num_rows == 0


def test_a_true_probability_is_found_calibrated_and_chance_is_not_better_than_chance() -> None:
    draw = np.random.default_rng(3)
    alive = draw.beta(0.7, 0.7, 5000)
    truth = draw.random(5000) < alive
    metrics = evaluate_p_alive(alive, truth, alive**2).set_index("metric")
    assert metrics.loc["calibration_slope", "interval_low"] < 1 < metrics.loc["calibration_slope", "interval_high"]
    assert metrics.loc["roc_auc", "value"] == pytest.approx(metrics.loc["roc_auc", "baseline"])
    assert metrics.loc["brier_score", "value"] < metrics.loc["brier_score", "baseline"]
    by_chance = evaluate_p_alive(alive, draw.permutation(truth), alive).set_index("metric").loc["roc_auc"]
    assert by_chance["interval_low"] < 0.5 < by_chance["interval_high"]
    assert evaluate_p_alive(alive, np.ones(5000), alive).empty
