"""How good predictions are, each measure with a bootstrap interval and the baseline's value on the same rows."""

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from crm_mining.common.arrays import FloatArray, IntArray
from crm_mining.evaluation.binary import log_losses, measures, ratio
from crm_mining.evaluation.metric_table import METRIC_COLUMNS

PREDICTION_COLUMNS = ("model", "split", "fold", "row", "group", "actual", "prediction", "threshold")
CLASSIFICATION_METRICS = (
    "accuracy", "precision", "recall", "f1", "balanced_accuracy", "roc_auc", "average_precision", "brier_score",
    "log_loss", "calibration_slope", "lift_first_decile",
)  # fmt: skip
REGRESSION_METRICS = ("mae", "rmse", "r2")
#: Above this many rows the intervals, not the values, come from a sample of them.
MAX_BOOTSTRAP_ROWS = 20_000


def evaluate(
    predictions: pd.DataFrame, *, target: str, kind: str, baseline: str, n_resamples: int = 200, seed: int = 0
) -> pd.DataFrame:
    """Measure predictions.

    Parameters
    ----------
    predictions : DataFrame
        Columns of :data:`PREDICTION_COLUMNS`: ``actual`` is 0 or 1 or an amount, ``prediction`` a probability or an
        amount, ``threshold`` the probability from which a customer counts as yes; ``group`` numbers the customers.
    target : str
        Name of the target.
    kind : str
        ``classification`` or ``regression``.
    baseline : str
        The model whose values fill the column ``baseline``.
    n_resamples : int
        Poisson bootstrap draws of customers (Chamandy et al. 2012); 0 leaves the intervals null.
    seed : int
        Of the draws.

    Returns
    -------
    DataFrame
        Columns ``model, target, split, fold, metric, value, interval_low, interval_high, baseline``: one row per
        model, split, fold and metric, and fold -1 for all folds of a split together when there are several. A measure
        that is not defined (ROC area of one class, calibration slope of a constant) is null.
    """
    rows: list[tuple[object, ...]] = []
    for split, part in predictions.groupby("split", sort=True):
        folds = sorted(part["fold"].unique())
        for fold in [*folds, *([-1] if len(folds) > 1 else [])]:
            here = part if fold == -1 else part[part["fold"] == fold]
            values = {
                str(model): intervals(
                    own["actual"].to_numpy(dtype="float64"), own["prediction"].to_numpy(dtype="float64"),
                    own["group"].to_numpy(dtype="int64"), kind=kind, threshold=float(own["threshold"].iloc[0]),
                    n_resamples=n_resamples, seed=seed,
                )
                for model, own in here.sort_values("row", kind="stable").groupby("model", sort=False)
            }  # fmt: skip
            rows += [
                (model, target, split, int(fold), metric, *triple, values.get(baseline, measures)[metric][0])
                for model, measures in values.items()
                for metric, triple in measures.items()
            ]
    return pd.DataFrame(rows, columns=list(METRIC_COLUMNS)).astype(METRIC_COLUMNS)


def intervals(
    y: FloatArray, p: FloatArray, groups: IntArray, *, kind: str, threshold: float = 0.5, n_resamples: int, seed: int
) -> dict[str, tuple[float, float, float]]:
    """Measure one set of predictions: metric to value and 95 % interval (NaN where there is none)."""
    measure: Callable[[FloatArray, FloatArray, FloatArray], dict[str, FloatArray]]
    if kind == "regression":
        measure = _regression
    else:

        def measure(y: FloatArray, p: FloatArray, w: FloatArray) -> dict[str, FloatArray]:
            return measures(y, p, w, threshold)

    value = measure(y, p, np.ones((1, len(y))))
    if n_resamples == 0:
        return {name: (float(v[0]), np.nan, np.nan) for name, v in value.items()}
    rng = np.random.default_rng(seed)
    widen = 1.0
    if len(y) > MAX_BOOTSTRAP_ROWS:
        chosen = np.sort(rng.choice(len(y), MAX_BOOTSTRAP_ROWS, replace=False))
        widen = float(np.sqrt(len(chosen) / len(y)))
        y, p, groups = y[chosen], p[chosen], groups[chosen]
    codes = np.unique(groups, return_inverse=True)[1]
    chunks = [
        measure(y, p, rng.poisson(1.0, (25, int(codes.max()) + 1)).astype("float64")[:, codes])
        for _ in range(-(-n_resamples // 25))
    ]
    found: dict[str, tuple[float, float, float]] = {}
    for name, v in value.items():
        drawn = np.concatenate([chunk[name] for chunk in chunks])
        drawn = drawn[np.isfinite(drawn)]
        if not len(drawn) or not np.isfinite(v[0]):
            found[name] = (float(v[0]), np.nan, np.nan)
            continue
        low, high = np.quantile(drawn, [0.025, 0.975])
        # A sample's interval is that of fewer rows; about the middle of the draws it shrinks as the square root.
        middle = float(np.median(drawn))
        if widen < 1:
            low, high = (v[0] + (q - middle) * widen for q in (low, high))
        found[name] = (float(v[0]), float(low), float(high))
    return found


def score_deciles(predictions: pd.DataFrame, *, target: str) -> pd.DataFrame:
    """Tabulate yes/no predictions by tenths, 1 the highest.

    Returns
    -------
    DataFrame
        ``model, target, split, decile, n_customers, n_positive, mean_probability, observed_rate, lift``: one row per
        model, split and decile; ties are broken by row number.
    """
    rows = []
    for (model, split), part in predictions.groupby(["model", "split"], sort=True):
        rate = part["actual"].mean()
        tenth = pd.Series(assign_deciles(part["prediction"].to_numpy(), part["row"].to_numpy()), index=part.index)
        for decile, own in part.groupby(tenth, sort=True):
            observed = own["actual"].mean()
            lift = observed / rate if rate > 0 else np.nan
            rows.append((model, target, split, int(str(decile)), len(own), int(own["actual"].sum()),
                         own["prediction"].mean(), observed, lift))  # fmt: skip
    columns = [
        "model", "target", "split", "decile",
        "n_customers", "n_positive", "mean_probability", "observed_rate", "lift",
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=columns)


def calibration_bins(predictions: pd.DataFrame, *, target: str, n_bins: int = 10) -> pd.DataFrame:
    """Tabulate promised against observed shares in bins of equal size.

    Returns
    -------
    DataFrame
        ``model, target, split, bin, n_customers, mean_probability, observed_rate, interval_low, interval_high``: one
        row per model, split and bin, the lowest first, with the 95 % Wilson interval of the observed share.
    """
    rows = []
    for (model, split), part in predictions.groupby(["model", "split"], sort=True):
        ranks = part["prediction"].rank(method="average", pct=True)
        number = np.minimum((ranks * n_bins).to_numpy().astype("int64"), n_bins - 1)
        for at, own in part.groupby(number, sort=True):
            low, high = wilson(float(own["actual"].sum()), len(own))
            rows.append((model, target, split, int(str(at)) + 1, len(own), own["prediction"].mean(),
                         own["actual"].mean(), low, high))  # fmt: skip
    columns = [
        "model", "target", "split", "bin",
        "n_customers", "mean_probability", "observed_rate", "interval_low", "interval_high",
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=columns)


def confusion_matrices(predictions: pd.DataFrame, *, target: str) -> pd.DataFrame:
    """Count predicted against actual yes and no.

    Returns
    -------
    DataFrame
        ``model, target, split, threshold, is_actual, is_predicted, n_customers``: four rows per model and split.
    """
    rows = []
    for (model, split), part in predictions.groupby(["model", "split"], sort=True):
        yes = part["prediction"] >= part["threshold"]
        for actual in (False, True):
            for predicted in (False, True):
                n = int(((part["actual"] == 1) == actual).mul(yes == predicted).sum())
                rows.append((model, target, split, float(part["threshold"].iloc[0]), actual, predicted, n))
    columns = ["model", "target", "split", "threshold", "is_actual", "is_predicted", "n_customers"]
    return pd.DataFrame(rows, columns=columns)


def assign_deciles(probability: FloatArray, key: Sequence[object] | IntArray) -> IntArray:
    """Assign tenths, 1 the highest, ties broken by key: SQL's ``ntile(10)``."""
    order = np.lexsort((pd.factorize(np.asarray(key), sort=True)[0], -probability))
    n = len(order)
    small, larger = divmod(n, 10)
    sizes = [small + (i < larger) for i in range(10)]
    decile = np.empty(n, dtype="int64")
    decile[order] = np.repeat(np.arange(1, 11), sizes)
    return decile


def wilson(n_yes: float, n: float) -> tuple[float, float]:
    """95 % interval of a share (Wilson 1927)."""
    if n == 0:
        return 0.0, 1.0
    z2 = 1.96**2
    middle = (n_yes + z2 / 2) / (n + z2)
    half = 1.96 * np.sqrt(max(n_yes * (n - n_yes) / n, 0.0) + z2 / 4) / (n + z2)
    return float(max(middle - half, 0)), float(min(middle + half, 1))


def losses(y: FloatArray, prediction: FloatArray, kind: str) -> FloatArray:
    """Loss of each row that models are chosen by: log loss, or squared error for amounts."""
    if kind == "regression":
        return np.asarray((y - prediction) ** 2)
    return log_losses(y, prediction)


def _regression(y: FloatArray, p: FloatArray, w: FloatArray) -> dict[str, FloatArray]:
    total = w.sum(axis=1)
    squares = w @ (y - p) ** 2
    mean = ratio(w @ y, total)
    spread = w @ y**2 - total * mean**2
    return {
        "mae": ratio(w @ np.abs(y - p), total),
        "rmse": np.sqrt(ratio(squares, total)),
        "r2": 1 - ratio(squares, np.where(spread > 1e-12, spread, 0.0)),
    }
