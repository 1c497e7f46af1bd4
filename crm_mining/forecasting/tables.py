"""Forecasts of the series of the warehouse: relations in, tables out. Fits are kept from build to build."""

import datetime
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa

from crm_mining.common.progress import Progress
from crm_mining.common.refits import check_refit
from crm_mining.forecasting.arima import Orders
from crm_mining.forecasting.backtest import Series, backtest_all, cutoffs, fingerprint
from crm_mining.forecasting.blend import ship
from crm_mining.forecasting.panel import (
    ORDER_COLUMNS,
    Place,
    assemble,
    candidate_rows,
    find_groups,
    shipped_rows,
)

#: Observations in a season.
PERIODS = {"month": 12, "week": 52}
SERIES_COLUMNS = "series_id, measure, frequency, dimension, member, period_end_date, value"
CALENDAR_COLUMNS = ("weekday_balance", "easter_days", "christmas_days", "new_year_days", "event_days")
#: Measures that can be summed over the members of every dimension; an order has products of several categories.
NOT_ADDITIVE = (("orders", "category"),)

CANDIDATE_SCHEMA = pa.schema(
    [
        ("series_id", pa.string()), ("cutoff_date", pa.date32()), ("method", pa.string()), ("step", pa.int64()),
        ("forecast", pa.float64()), ("form", pa.string()),
        *((name, pa.bool_() if name == "has_constant" else pa.int64()) for name in ORDER_COLUMNS),
        ("history_hash", pa.string()),
    ]
)  # fmt: skip
FORECAST_SCHEMA = pa.schema(
    [
        ("series_id", pa.string()), ("cutoff_date", pa.date32()), ("is_final", pa.bool_()), ("method", pa.string()),
        ("step", pa.int64()), ("forecast", pa.float64()), ("low_80", pa.float64()), ("high_80", pa.float64()),
        ("low_95", pa.float64()), ("high_95", pa.float64()), ("actual", pa.float64()), ("weight", pa.float64()),
        ("is_fallback", pa.bool_()), ("reconciliation", pa.string()), ("scale", pa.float64()), ("status", pa.string()),
    ]
)  # fmt: skip


@dataclass(frozen=True)
class _Table:
    """One series of the warehouse."""

    series: Series
    frequency: str
    place: Place | None
    dates: list[datetime.date]

    def at(self, date: datetime.date) -> int | None:
        """Observations known at a cut-off date; None where it is no end of a period of the series."""
        number = int(np.searchsorted(np.array(self.dates, dtype="datetime64[D]"), np.datetime64(date)))
        return number + 1 if number < len(self.dates) and self.dates[number] == date else None


def candidates_from_tables(
    series: duckdb.DuckDBPyRelation,
    stored: duckdb.DuckDBPyRelation | None,
    calendar: duckdb.DuckDBPyRelation | None = None,
    *,
    horizons: Mapping[str, int],
    refit: str = "auto",
    workers: int = 1,
) -> pa.Table:
    """Fit every model to every series, at its end and at the cut-offs of its back-test.

    Parameters
    ----------
    series : relation
        ``series_id, measure, frequency, dimension, member, period_end_date, value``; one row per series and period,
        without gaps.
    stored : relation, optional
        Candidates of earlier builds, as this function returns them.
    calendar : relation, optional
        ``frequency, period_end_date`` and :data:`CALENDAR_COLUMNS`; one row per period, of the time to forecast too.
        Series that it does not cover are forecast without.
    horizons : mapping
        Frequency (a key of :data:`PERIODS`) to the number of periods to forecast.
    refit : str
        ``auto``: forecast what is not stored or depends on other values by now, and try the orders of the last cut-off
        before first; ``always``: forecast all of it, from nothing; ``never``: only cut-offs that are not stored for as
        many steps, whatever their values are by now.
    workers : int
        Processes.

    Returns
    -------
    Table
        Of :data:`CANDIDATE_SCHEMA`: the rows that are new, cut-off by cut-off complete.

    Raises
    ------
    ValueError
        When ``refit`` or a horizon is not allowed; the message names both.
    """
    check_refit(refit)
    tables = _read(series, horizons, calendar)
    known = _known(stored, refit)
    asked = [_with_stored(table, known.get(table.series.key), horizons[table.frequency], refit) for table in tables]
    todo = [
        (table, one)
        for table, one in zip(tables, asked, strict=True)
        if {*cutoffs(len(one.values), horizons[table.frequency]), len(one.values)} - one.done
    ]
    progress = Progress("series forecast", len(todo))
    steps = [horizons[table.frequency] for table, _ in todo]
    results = backtest_all([one for _, one in todo], steps, workers=workers, report=progress.update)
    by_key = {table.series.key: table for table in tables}
    rows = candidate_rows(results)
    if not len(rows):
        return CANDIDATE_SCHEMA.empty_table()
    marks = {
        (result.key, at): (
            by_key[result.key].dates[at - 1],
            fingerprint(by_key[result.key].series, at, horizons[by_key[result.key].frequency]),
        )
        for result in results
        for at in result.found
    }
    pairs = [marks[key, at] for key, at in zip(rows["series_id"], rows["n_known"], strict=True)]
    rows = rows.assign(cutoff_date=[date for date, _ in pairs], history_hash=[text for _, text in pairs])
    return pa.Table.from_pandas(rows[CANDIDATE_SCHEMA.names], schema=CANDIDATE_SCHEMA, preserve_index=False)


def forecasts_from_tables(
    series: duckdb.DuckDBPyRelation, candidates: duckdb.DuckDBPyRelation, *, horizons: Mapping[str, int]
) -> pa.Table:
    """Blend, reconcile and put intervals about the candidates, frequency by frequency.

    Parameters
    ----------
    series, candidates : relation
        As :func:`candidates_from_tables` takes and returns them; candidates of other cut-offs are passed over.
    horizons : mapping
        As there.

    Returns
    -------
    Table
        Of :data:`FORECAST_SCHEMA`.
    """
    tables = _read(series, horizons)
    rows = candidates.project("series_id, cutoff_date, method, step, forecast").order("all").df()
    found = [FORECAST_SCHEMA.empty_table()]
    for frequency, horizon in sorted(horizons.items()):
        own = [table for table in tables if table.frequency == frequency]
        if not own:
            continue
        by_key = {table.series.key: table for table in own}
        here = rows[rows["series_id"].isin(list(by_key))]
        pairs = here[["series_id", "cutoff_date"]].drop_duplicates()
        known = pd.Series(
            [by_key[key].at(date.date()) for key, date in pairs.itertuples(index=False)], pairs.index, dtype="Int64"
        )
        here = here.merge(
            pairs.assign(n_known=np.array(known, dtype="float64")).dropna().astype({"n_known": "int64"}),
            on=["series_id", "cutoff_date"],
        )
        one_each = [table.series for table in own]
        panel = assemble(one_each, here, horizon)
        places = {table.series.key: table.place for table in own if table.place is not None}
        shipped = shipped_rows(one_each, panel, ship(panel, find_groups(one_each, places)))
        ends = [by_key[key].dates[at - 1] for key, at in zip(shipped["series_id"], shipped["n_known"], strict=True)]
        lengths = shipped["series_id"].map({key: len(table.dates) for key, table in by_key.items()})
        shipped = shipped.assign(cutoff_date=ends, is_final=shipped["n_known"] == lengths)
        if len(shipped):
            found.append(
                pa.Table.from_pandas(shipped[FORECAST_SCHEMA.names], schema=FORECAST_SCHEMA, preserve_index=False)
            )
    return pa.concat_tables(found)


def _read(
    relation: duckdb.DuckDBPyRelation,
    horizons: Mapping[str, int],
    calendar: duckdb.DuckDBPyRelation | None = None,
) -> list[_Table]:
    if not isinstance(horizons, Mapping):
        raise ValueError(f"forecast_horizons is {horizons!r}; allowed: a mapping such as {{month: 12, week: 13}}")
    for frequency, horizon in horizons.items():
        if frequency not in PERIODS:
            raise ValueError(f"frequency of forecast_horizons is {frequency!r}; allowed: {', '.join(PERIODS)}")
        if not isinstance(horizon, int) or not 1 <= horizon <= 2 * PERIODS[frequency]:
            raise ValueError(f"horizon of {frequency} is {horizon!r}; allowed: 1 to {2 * PERIODS[frequency]}")
    rows = relation.project(SERIES_COLUMNS).order("series_id, period_end_date").df()
    tables = []
    of_periods = None if calendar is None else calendar.order("frequency, period_end_date").df()
    for key, part in rows.groupby("series_id", sort=True):
        first = part.iloc[0]
        frequency, measure, dimension = str(first["frequency"]), str(first["measure"]), str(first["dimension"])
        if frequency not in horizons:
            continue
        is_additive = (measure, dimension) not in NOT_ADDITIVE
        place = (f"{measure}|{frequency}", dimension, str(first["member"])) if is_additive else None
        values = part["value"].to_numpy(dtype="float64", na_value=np.nan)
        dates = [date.date() for date in part["period_end_date"]]
        regressors = None
        if of_periods is not None:
            here = of_periods[of_periods["frequency"].eq(frequency)]
            from_first = here[here["period_end_date"] >= first["period_end_date"]]
            ahead = from_first[list(CALENDAR_COLUMNS)].head(len(dates) + horizons[frequency]).to_numpy(dtype="float64")
            regressors = ahead if len(ahead) == len(dates) + horizons[frequency] else None
        one = Series(str(key), values, PERIODS[frequency], regressors=regressors)
        tables.append(_Table(one, frequency, place, dates))
    return tables


def _known(stored: duckdb.DuckDBPyRelation | None, refit: str) -> dict[str, pd.DataFrame]:
    """Return stored cut-offs and orders, one row per cut-off and method."""
    if stored is None or refit == "always":
        return {}
    columns = f"series_id, cutoff_date, method, history_hash, {', '.join(ORDER_COLUMNS)}"
    n_steps = "max(step) over (partition by series_id, cutoff_date) as n_steps"
    rows = stored.project(f"{columns}, step, {n_steps}").filter("step = 1").order("series_id, cutoff_date, method").df()
    return {str(key): part for key, part in rows.groupby("series_id", sort=True)}


def _with_stored(table: _Table, stored: pd.DataFrame | None, horizon: int, refit: str) -> Series:
    series = table.series
    if stored is None:
        return series
    starts: dict[int, dict[str, Orders]] = {}
    done = set()
    for date, part in stored.groupby("cutoff_date", sort=True):
        at = table.at(pd.Timestamp(str(date)).date())
        if at is None:
            continue
        mark = fingerprint(series, at, horizon)
        # With another number of steps there would be no forecasts for some, or too many.
        is_kept = refit == "never" or (part["history_hash"] == mark).all()
        if is_kept and (part["n_steps"] == horizon).all():
            done.add(at)
        of_arima = part.dropna(subset=["p"])
        starts[at] = {str(row["method"]): _orders(row) for _, row in of_arima.iterrows()}
    return replace(series, starts=starts, done=frozenset(done))


def _orders(row: "pd.Series[Any]") -> Orders:
    values = {name: row[name] for name in ORDER_COLUMNS}
    return Orders(**{k: bool(v) if k == "has_constant" else int(str(v).split(".")[0]) for k, v in values.items()})  # type: ignore[arg-type]
