"""Customer value compared with what happened afterwards and, where it is known, with who was still a customer."""

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import duckdb
import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import expit

from crm_mining.common.arrays import FloatArray
from crm_mining.common.seeds import SEED
from crm_mining.evaluation.binary import roc_auc
from crm_mining.evaluation.metric_table import METRIC_COLUMNS, no_metrics
from crm_mining.evaluation.truth import read_truth, sole_persons

MODEL, OWN_RATE, MEAN = "customer_value", "baseline_own_rate", "baseline_mean"
#: Customers of an as-of date that are looked at: the first by customer_id, which is a hash and thus as good as random.
MAX_CUSTOMERS = 20_000
HORIZON = 90
N_RESAMPLES = 200
_SHOP = "shop.customers"


def evaluate_value(
    scores: duckdb.DuckDBPyRelation,
    purchases: duckdb.DuckDBPyRelation,
    outcomes: duckdb.DuckDBPyRelation,
    sources: duckdb.DuckDBPyRelation,
    *,
    record_persons: Path | None = None,
    persons: Path | None = None,
) -> pd.DataFrame:
    """Measure how good the scores were, as-of date by as-of date.

    Parameters
    ----------
    scores : relation
        As :func:`crm_mining.value.tables.score_from_tables` returns it, with the horizon of 90 days.
    purchases : relation
        ``customer_id, as_of_date, n_repeat_orders, recency_days, age_days, mean_repeat_amount`` of the same rows.
    outcomes : relation
        ``customer_id, as_of_date, n_orders_90d, value_90d`` of the rows whose next 90 days are known.
    sources : relation
        ``source_table, source_key, customer_id``.
    record_persons, persons : Path, optional
        Truth tables (``.csv`` or ``.parquet``): ``source_table, source_key, person_id`` and ``person_id,
        dropped_out_on``. Without them p_alive is not judged.

    Returns
    -------
    DataFrame
        One row per model, target, split and metric, with the columns of
        :data:`crm_mining.evaluation.metric_table.METRIC_COLUMNS`, intervals of 95 % by resampling customers.
        For ``n_orders_90d`` and ``value_90d``: ``mae``, ``rmse``, ``correlation`` (Pearson), ``ratio_to_actual`` (sum
        expected by sum that came) and ``interval_coverage``, beside two baselines: everybody goes on at the rate of
        their own past repeat purchases, or at the rate of all. For ``is_alive`` see
        :func:`evaluate_p_alive`; the baseline ranks by days since the last purchase.
    """
    has_left = _has_left(sources, record_persons, persons)
    rows: list[pd.DataFrame] = [no_metrics()]
    for day in sorted(day for (day,) in scores.project("as_of_date").distinct().fetchall()):
        customers = _of_day(scores, day).merge(_of_day(purchases, day), on=["customer_id", "as_of_date"])
        known = customers.merge(_of_day(outcomes, day), on=["customer_id", "as_of_date"])
        found = [*_against_outcomes(known)] if len(known) else []
        if has_left is not None:
            found.append(_against_truth(customers.merge(has_left, on="customer_id"), day))
        rows += [part.assign(split=f"as_of_{day}", fold=0) for part in found]
    return pd.concat(rows, ignore_index=True)[list(METRIC_COLUMNS)].astype(METRIC_COLUMNS)


def _of_day(rows: duckdb.DuckDBPyRelation, day: date) -> pd.DataFrame:
    is_of_day = duckdb.ColumnExpression("as_of_date") == duckdb.ConstantExpression(day)
    return rows.filter(is_of_day).order("customer_id").limit(MAX_CUSTOMERS).df()


def _has_left(
    sources: duckdb.DuckDBPyRelation, record_persons: Path | None, persons: Path | None
) -> pd.DataFrame | None:
    """Say when each customer who is one person in truth left; never is NaT."""
    if record_persons is None or persons is None:
        return None
    pairs = sole_persons(sources.filter(f"source_table = '{_SHOP}'"), record_persons)
    found = pairs.merge(read_truth(persons)[["person_id", "dropped_out_on"]], on="person_id")
    return found.assign(left_on=pd.to_datetime(found["dropped_out_on"]))[["customer_id", "left_on"]]


def _against_truth(customers: pd.DataFrame, day: date) -> pd.DataFrame:
    is_alive = ~(customers["left_on"] <= pd.Timestamp(day))
    silence = customers["age_days"] - customers["recency_days"]
    found = evaluate_p_alive(customers["p_alive"], is_alive, -silence)
    return found.assign(model=MODEL, target="is_alive")


def _against_outcomes(customers: pd.DataFrame) -> Iterator[pd.DataFrame]:
    repeat, age = (customers[name].to_numpy(dtype="float64") for name in ("n_repeat_orders", "age_days"))
    amount = repeat * customers["mean_repeat_amount"].fillna(0.0).to_numpy(dtype="float64")
    for target, name, past in (("n_orders_90d", "orders", repeat), ("value_90d", "value", amount)):
        actual = customers[target].to_numpy(dtype="float64")
        own = np.divide(past, age, out=np.zeros_like(past), where=age > 0) * HORIZON
        mean = np.full(len(past), past.sum() / max(age.sum(), 1.0) * HORIZON)
        expected, low, high = (
            customers[f"expected_{name}_{HORIZON}{end}"].to_numpy(dtype="float64") for end in ("", "_low", "_high")
        )
        # A tolerance, so that a bound computed as 29.999999 holds the 30 that came.
        is_covered = ((actual >= low - 1e-6) & (actual <= high + 1e-6)).astype("float64")
        measured = {
            MODEL: measure(expected, actual, is_covered),
            OWN_RATE: measure(own, actual),
            MEAN: measure(mean, actual),
        }
        for model, metrics in measured.items():
            baseline = metrics["metric"].map(measured[OWN_RATE].set_index("metric")["value"])
            yield metrics.assign(model=model, target=target, baseline=baseline)


def measure(expected: FloatArray, actual: FloatArray, is_covered: FloatArray | None = None) -> pd.DataFrame:
    """Compare what was expected of each customer with what came.

    Parameters
    ----------
    expected, actual : array of shape (n,)
        In one unit; n above 0.
    is_covered : array of shape (n,), optional
        1 where the interval held what came.

    Returns
    -------
    DataFrame
        ``metric, value, interval_low, interval_high``. A metric that is not defined (the correlation of a constant,
        the ratio to nothing) is left out.
    """
    covered = np.full(len(actual), np.nan) if is_covered is None else is_covered
    error = expected - actual
    # Centred first: the sums of squares of large numbers would cancel.
    e, a = expected - expected.mean(), actual - actual.mean()
    terms = np.column_stack(
        [np.ones(len(actual)), np.abs(error), error**2, e, a, e * e, a * a, e * a, expected, actual, covered]
    )
    draw = np.random.default_rng(SEED)
    n = len(actual)
    counts = (np.bincount(draw.integers(0, n, n), minlength=n) for _ in range(N_RESAMPLES))
    value = _from_sums(terms.sum(axis=0, keepdims=True))
    # Not a matrix product: its last digit depends on where the numbers lie in memory.
    columns = np.ascontiguousarray(terms.T)
    resampled = _from_sums(np.array([(columns * count).sum(axis=1) for count in counts]))
    rows = []
    for metric, number in value.items():
        if np.isfinite(number[0]):
            finite = resampled[metric][np.isfinite(resampled[metric])]
            rows.append((metric, float(number[0]), *(float(q) for q in np.quantile(finite, [0.025, 0.975]))))
    return pd.DataFrame(rows, columns=["metric", "value", "interval_low", "interval_high"])


def _from_sums(sums: FloatArray) -> dict[str, FloatArray]:
    """Metrics from the sums, shape (m, 11), of the terms in :func:`measure`; NaN where one is not defined."""
    n, absolute, squared, e, a, ee, aa, ea, expected, actual, covered = sums.T
    variance = np.maximum(n * ee - e * e, 0.0) * np.maximum(n * aa - a * a, 0.0)
    undefined = np.full(len(n), np.nan)
    # Rounding leaves a constant with a variance of almost nothing.
    is_varied = variance > 1e-12 * np.maximum(n**4, 1.0) * 1e-6
    return {
        "mae": absolute / n,
        "rmse": np.sqrt(squared / n),
        "correlation": np.divide(n * ea - e * a, np.sqrt(variance), out=undefined.copy(), where=is_varied),
        "ratio_to_actual": np.divide(expected, actual, out=undefined.copy(), where=actual > 0),
        "interval_coverage": covered / n,
    }


def evaluate_p_alive(alive: npt.ArrayLike, is_alive: npt.ArrayLike, baseline: npt.ArrayLike) -> pd.DataFrame:
    """Compare p_alive with the truth.

    Parameters
    ----------
    alive : array of shape (n,)
        Probabilities.
    is_alive : array of shape (n,)
        The truth, 0 or 1.
    baseline : array of shape (n,)
        Any number that rises with the belief that a customer is alive, such as minus the days since the last order.

    Returns
    -------
    DataFrame
        ``metric, value, interval_low, interval_high, baseline``: ``roc_auc``; ``calibration_slope`` and
        ``calibration_intercept`` of a logistic regression of the truth on the logit of the probability (1 and 0 when
        calibrated, Cox 1958); ``brier_score``, its baseline the share of the living. 95 % intervals by resampling
        customers. No rows when all or none are alive: there is nothing to distinguish.
    """
    p = np.clip(np.asarray(alive, dtype="float64"), 1e-6, 1 - 1e-6)
    truth = np.asarray(is_alive, dtype="float64")
    rule = np.asarray(baseline, dtype="float64")
    names = ["roc_auc", "calibration_slope", "calibration_intercept", "brier_score"]
    columns = ["metric", "value", "interval_low", "interval_high", "baseline"]
    if len(truth) == 0 or truth.min() == truth.max():
        return pd.DataFrame({name: pd.Series(dtype="str" if name == "metric" else "float64") for name in columns})
    draw = np.random.default_rng(SEED)
    samples = [draw.integers(0, len(p), len(p)) for _ in range(200)]
    resampled = np.array([_alive_measures(p[i], truth[i]) for i in samples if 0 < truth[i].mean() < 1])
    low, high = np.quantile(resampled, [0.025, 0.975], axis=0)
    share = float(truth.mean())
    of_baseline = [roc_auc(truth, rule), np.nan, np.nan, share * (1 - share)]
    return pd.DataFrame(
        {
            "metric": names,
            "value": _alive_measures(p, truth),
            "interval_low": low,
            "interval_high": high,
            "baseline": of_baseline,
        }
    )


def _alive_measures(p: FloatArray, truth: FloatArray) -> list[float]:
    slope, intercept = _calibration(p, truth)
    return [roc_auc(truth, p), slope, intercept, float(np.mean((p - truth) ** 2))]


def _calibration(p: FloatArray, truth: FloatArray) -> tuple[float, float]:
    """Slope and intercept by Newton's method; a touch of ridge keeps it finite when the classes don't overlap."""
    design = np.column_stack([np.log(p) - np.log1p(-p), np.ones(len(p))])
    at = np.array([1.0, 0.0])
    for _ in range(50):
        fitted = expit(design @ at)
        curvature = (design * (fitted * (1 - fitted))[:, None]).T @ design + 1e-6 * np.eye(2)
        move = np.linalg.solve(curvature, design.T @ (truth - fitted) - 1e-6 * at)
        at = at + np.clip(move, -2, 2)
        if np.abs(move).max() < 1e-10:
            break
    return float(at[0]), float(at[1])
