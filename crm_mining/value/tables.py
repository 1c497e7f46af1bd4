"""Customer value from tables to tables: one fit per as-of date, and scores from stored terms."""

from collections.abc import Iterator, Sequence
from datetime import date

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
from scipy.special import expit, logit

from crm_mining.common.arrays import FloatArray
from crm_mining.common.progress import Progress
from crm_mining.common.refits import check_refit
from crm_mining.common.threads import one_thread
from crm_mining.value.alive import SLOPES, fit_alive_slope
from crm_mining.value.checks import check_parameters
from crm_mining.value.intervals import predictive_intervals
from crm_mining.value.likelihood import Fit
from crm_mining.value.purchases import expected_orders, fit_purchases, p_alive
from crm_mining.value.spend import expected_spend, fit_spend
from crm_mining.value.vocabulary import (
    AT_BOUND,
    BG,
    CONVERGED,
    MAXIMUM_LIKELIHOOD,
    MBG,
    MOMENTS,
    RANGES,
    SPEND,
    TOO_FEW,
)

#: p_alive is recalibrated by who bought in this many days up to the as-of date; int_customer_purchases says how the
#: customers stood before them. On five worlds of crm_mining.synth 90 days do as well, but vary more.
CALIBRATION_DAYS = 180
ALIVE_SLOPE = "alive_slope"
PURCHASE_COLUMNS = ("n_repeat_orders", "recency_days", "age_days")
BEFORE_COLUMNS = ("n_repeat_orders_before", "recency_days_before")
TERM_COLUMNS = {
    "model": "str", "term": "str", "value": "float64", "interval_low": "float64", "interval_high": "float64",
    "method": "str", "status": "str",
}  # fmt: skip
TERM_SCHEMA = pa.schema(
    [("as_of_date", pa.date32())]
    + [(name, pa.string() if kind == "str" else pa.float64()) for name, kind in TERM_COLUMNS.items()]
)
#: Of a column: itself and the ends of its interval.
ENDS = ("", "_low", "_high")


@one_thread()
def fit_value(customers: pd.DataFrame) -> pd.DataFrame:
    """Fit all three models, choose between the first two, and recalibrate p_alive.

    BG/NBD and MBG/NBD have four parameters each, so their BIC differ by twice their log-likelihoods. BG/NBD is chosen
    unless the other's BIC is lower by more than 6, *strong* evidence (Kass & Raftery 1995). On the CDNOW sample the
    difference is 0.6, and BG/NBD predicts the next 39 weeks better in sum (1,653 purchases against 1,577 of 1,882).

    Parameters
    ----------
    customers : DataFrame
        ``n_repeat_orders, recency_days, age_days, mean_repeat_amount``; where it is known how they stood
        :data:`CALIBRATION_DAYS` before, ``n_repeat_orders_before, recency_days_before``, null for who had not bought;
        where a row stands for several customers, ``n_customers``.

    Returns
    -------
    DataFrame
        One row per model and term, with the columns of :data:`TERM_COLUMNS`: the parameters with their 95 % intervals,
        ``log_likelihood``, ``n_customers``, for ``bg_nbd`` and ``mbg_nbd`` ``is_chosen`` (0 or 1), and for the chosen
        one ``alive_slope`` (see :func:`fit_alive_slope`).

    Raises
    ------
    ValueError
        When a value is outside its range; the message names both.
    """
    x, t_x, age = (customers[name].to_numpy(dtype="float64") for name in PURCHASE_COLUMNS)
    amount = customers["mean_repeat_amount"].to_numpy(dtype="float64", na_value=np.nan)
    n = customers["n_customers"].to_numpy(dtype="float64") if "n_customers" in customers else np.ones(len(customers))
    bg, mbg, spend = fit_purchases(x, t_x, age, n), fit_purchases(x, t_x, age, n, model=MBG), fit_spend(x, amount, n)
    are_both_fitted = bg.method == mbg.method == MAXIMUM_LIKELIHOOD
    difference = 2 * (mbg.log_likelihood - bg.log_likelihood)
    # Where one alone was fitted it is taken; where neither, the one under which a single purchase can be the last.
    takes_mbg = difference > 6 if are_both_fitted else bg.method == MOMENTS
    rows: list[tuple[str, str, float, float, float, str, str]] = []
    for fit, chosen in ((bg, not takes_mbg), (mbg, takes_mbg), (spend, None)):
        terms = [(name, value, *fit.intervals[name]) for name, value in fit.parameters.items()]
        terms += [(name, float(v), np.nan, np.nan) for name, v in _facts(fit, chosen).items()]
        rows += [(fit.model, *term, fit.method, fit.status) for term in terms]
    slope, low, high, status = _slope_of(customers, n, MBG if takes_mbg else BG)
    method = MAXIMUM_LIKELIHOOD if status in (CONVERGED, AT_BOUND) else MOMENTS
    rows.append((MBG if takes_mbg else BG, ALIVE_SLOPE, slope, low, high, method, status))
    return pd.DataFrame(rows, columns=list(TERM_COLUMNS)).astype(TERM_COLUMNS)


def _slope_of(customers: pd.DataFrame, n: FloatArray, model: str) -> tuple[float, float, float, str]:
    """Learn the slope of p_alive from who had bought by then and has bought since."""
    if not set(BEFORE_COLUMNS) <= set(customers.columns):
        return 1.0, np.nan, np.nan, TOO_FEW
    then = customers[list(BEFORE_COLUMNS)].apply(lambda column: column.to_numpy(dtype="float64", na_value=np.nan))
    had_bought = then.notna().all(axis=1).to_numpy()
    now, then = customers[had_bought], then[had_bought]
    return fit_alive_slope(
        then["n_repeat_orders_before"], then["recency_days_before"],
        now["age_days"].to_numpy(dtype="float64") - CALIBRATION_DAYS,
        now["n_repeat_orders"].to_numpy(dtype="float64") > then["n_repeat_orders_before"].to_numpy(),
        CALIBRATION_DAYS, n[had_bought], model=model,
    )  # fmt: skip


def _facts(fit: Fit, chosen: bool | None) -> dict[str, float]:
    facts = {"log_likelihood": fit.log_likelihood, "n_customers": float(fit.n_customers)}
    return facts if chosen is None else facts | {"is_chosen": float(chosen)}


def score_value(customers: pd.DataFrame, terms: pd.DataFrame, horizons: Sequence[int] = (90, 365)) -> pd.DataFrame:
    """Score customers from stored terms.

    Everything is by the chosen model, but for one thing: p_alive of who bought once is always by MBG/NBD, since under
    BG/NBD it is 1 by assumption. The slope (:func:`fit_alive_slope`) recalibrates p_alive alone; expected orders stay
    as they are, since it brings them no nearer to the orders that come.

    Parameters
    ----------
    customers : DataFrame
        ``n_repeat_orders, recency_days, age_days, mean_repeat_amount``, the last empty where unknown.
    terms : DataFrame
        As :func:`fit_value` returns it; only ``model, term, value, method`` are read.
    horizons : sequence of int
        In days.

    Returns
    -------
    DataFrame
        In the order and with the index of ``customers``: ``p_alive``, ``expected_order_amount``, for each horizon ``h``
        ``expected_orders_<h>`` and ``expected_value_<h>``, each with ``_low`` and ``_high``, its 95 % predictive
        interval (widened, where hardly any customer buys, to hold the expectation), and ``method``: the chosen model,
        ``_by_moments`` added when the fall-back fitted it. Never NaN or infinite. A customer's row depends on the
        customer and the terms alone.

    Raises
    ------
    ValueError
        When a term is missing or outside its range, or a value is; the message names both.
    """
    fitted = {model: _parameters(terms, model) for model in RANGES}
    model, method = _chosen(terms)
    x, t_x, age = (customers[name].to_numpy(dtype="float64") for name in PURCHASE_COLUMNS)
    amount = customers["mean_repeat_amount"].to_numpy(dtype="float64", na_value=np.nan)
    alive = p_alive(x, t_x, age, fitted[model], model=model)
    once = x == 0
    alive[once] = p_alive(x[once], t_x[once], age[once], fitted[MBG], model=MBG)
    alive = expit(_alive_slope(terms) * logit(alive))
    of_one = expected_spend(x, amount, fitted[SPEND])
    scores: dict[str, FloatArray] = {"p_alive": alive, "expected_order_amount": of_one}
    for horizon in horizons:
        orders = expected_orders(x, t_x, age, fitted[model], horizon, model=model)
        intervals = predictive_intervals(x, t_x, age, amount, fitted[model], fitted[SPEND], horizon, model=model)
        for name, value in (("orders", orders), ("value", orders * of_one)):
            column = f"expected_{name}_{horizon}"
            scores[column] = value
            scores[f"{column}_low"] = np.minimum(intervals[f"{name}_low"].to_numpy(), value)
            scores[f"{column}_high"] = np.maximum(intervals[f"{name}_high"].to_numpy(), value)
    return pd.DataFrame(scores, index=customers.index).assign(method=method)


def _parameters(terms: pd.DataFrame, model: str) -> dict[str, float]:
    rows = terms[terms["model"] == model]
    found = {str(term): float(value) for term, value in zip(rows["term"], rows["value"], strict=True)}
    parameters = {name: found.get(name, np.nan) for name in RANGES[model]}
    check_parameters(model, parameters)
    return parameters


def _alive_slope(terms: pd.DataFrame) -> float:
    """Read the slope; terms without one, as older fits are, leave p_alive as the model has it."""
    found = terms.loc[terms["term"] == ALIVE_SLOPE, "value"]
    slope = float(found.iloc[0]) if len(found) else 1.0
    if not SLOPES[0] <= slope <= SLOPES[1]:
        raise ValueError(f"{ALIVE_SLOPE} is {slope}; allowed: {SLOPES[0]:g} to {SLOPES[1]:g}")
    return slope


def _chosen(terms: pd.DataFrame) -> tuple[str, str]:
    chosen = terms[(terms["term"] == "is_chosen") & (terms["value"] == 1)]
    if len(chosen) != 1:
        raise ValueError(f"terms choose {len(chosen)} models (is_chosen = 1); allowed: one of {BG}, {MBG}")
    model = str(chosen["model"].iloc[0])
    return model, model if chosen["method"].iloc[0] == MAXIMUM_LIKELIHOOD else f"{model}_by_moments"


def fit_from_tables(
    purchases: duckdb.DuckDBPyRelation, stored: duckdb.DuckDBPyRelation | None = None, *, refit: str = "auto"
) -> pa.Table:
    """Fit one set of terms for each as-of date that asks for one.

    Parameters
    ----------
    purchases : relation
        ``as_of_date, n_repeat_orders, recency_days, age_days, mean_repeat_amount, n_repeat_orders_before,
        recency_days_before``, one row per customer and date.
    stored : relation, optional
        ``as_of_date`` of the fits that exist.
    refit : str
        ``auto``: those without a fit; ``always``: all of them; ``never``: none.

    Returns
    -------
    Table
        ``as_of_date`` and the columns of :data:`TERM_COLUMNS`; no rows when there was nothing to fit. No sample is
        taken: alike customers are counted, which is exact. Memory holds the customers of one date.

    Raises
    ------
    ValueError
        When ``refit`` is unknown or a value is outside its range; the message names both.
    """
    check_refit(refit)
    days = {day for (day,) in purchases.project("as_of_date").distinct().fetchall()} if refit != "never" else set()
    known = {day for (day,) in stored.fetchall()} if stored is not None and refit == "auto" else set()
    columns = ", ".join((*PURCHASE_COLUMNS, *BEFORE_COLUMNS, "mean_repeat_amount"))
    fits = [TERM_SCHEMA.empty_table()]
    for day in sorted(days - known):
        of_day = purchases.filter(duckdb.ColumnExpression("as_of_date") == duckdb.ConstantExpression(day))
        rows = of_day.aggregate(f"{columns}, count(*) as n_customers", columns).order(columns).df()
        fitted = fit_value(rows).assign(as_of_date=day)
        fits.append(pa.Table.from_pandas(fitted, schema=TERM_SCHEMA, preserve_index=False))
    return pa.concat_tables(fits)


def score_from_tables(
    purchases: duckdb.DuckDBPyRelation,
    terms: duckdb.DuckDBPyRelation,
    horizons: Sequence[int] = (90, 365),
    *,
    batch_size: int = 100_000,
) -> pa.RecordBatchReader:
    """Score every customer at each as-of date, batch by batch.

    Parameters
    ----------
    purchases : relation
        ``customer_id, as_of_date, n_repeat_orders, recency_days, age_days, mean_repeat_amount``.
    terms : relation
        As :func:`fit_from_tables` returns it. Those of the as-of date are used or, where it has none, the last ones
        before it: a later fit knows what was not known then.
    horizons : sequence of int
        In days.
    batch_size : int
        Customers scored at a time; memory holds one batch.

    Returns
    -------
    RecordBatchReader
        ``customer_id, as_of_date, fitted_as_of_date`` and the columns of :func:`score_value`.

    Raises
    ------
    ValueError
        When an as-of date has no terms, or terms or customers are outside their range.
    """
    fits = _by_date(terms.df())
    columns = f"customer_id, as_of_date, {', '.join(PURCHASE_COLUMNS)}, mean_repeat_amount"
    # Customers of equal history side by side, so that their simulated futures are met in one batch.
    ordered = purchases.project(columns).order("as_of_date, n_repeat_orders, age_days, customer_id")
    total = purchases.aggregate("count(*)").fetchall()[0][0]
    schema = _score_schema(horizons)

    def batches() -> Iterator[pa.RecordBatch]:
        progress, done = Progress("customers valued", total), 0
        for batch in ordered.to_arrow_reader(batch_size):
            for day, customers in _by_date(batch.to_pandas()).items():
                fitted = max((known for known in fits if known <= day), default=None)
                if fitted is None:
                    raise ValueError(f"as_of_date {day} has no fit on or before it; set the var refit to auto")
                scores = score_value(customers, fits[fitted], horizons)
                keys = customers[["customer_id", "as_of_date"]].assign(fitted_as_of_date=fitted)
                yield pa.RecordBatch.from_pandas(keys.join(scores), schema=schema, preserve_index=False)
            done += len(batch)
            progress.update(done)

    return pa.RecordBatchReader.from_batches(schema, batches())


def _by_date(frame: pd.DataFrame) -> dict[date, pd.DataFrame]:
    """Part a table by as_of_date, as a date: DuckDB gives pandas a timestamp, Arrow a date."""
    days = pd.to_datetime(frame["as_of_date"]).dt.date
    dated = frame.assign(as_of_date=days)
    return {day: dated[days == day] for day in sorted(set(days))}


def _score_schema(horizons: Sequence[int]) -> pa.Schema:
    keys = [("customer_id", pa.string()), ("as_of_date", pa.date32()), ("fitted_as_of_date", pa.date32())]
    numbers = ["p_alive", "expected_order_amount"]
    numbers += [f"expected_{name}_{h}{end}" for h in horizons for name in ("orders", "value") for end in ENDS]
    return pa.schema([*keys, *((name, pa.float64()) for name in numbers), ("method", pa.string())])
