"""How good predictions are, each measure with a bootstrap interval and the baseline's value on the same rows."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import pandas as pd

from crm_mining.common.arrays import FloatArray, IntArray
from crm_mining.evaluation.binary import Probabilities, log_losses, ratio
from crm_mining.evaluation.metric_table import METRIC_COLUMNS
from crm_mining.evaluation.resampling import draw_counts, percentiles, resample

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
        Bootstrap draws of customers (:mod:`crm_mining.evaluation.resampling`); 0 leaves the intervals null.
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
            here = part[part["fold"] == fold]
            if fold == -1:
                # What stopped after the first fold is not measured on all of them.
                here = part[part.groupby("model")["fold"].transform("nunique") == len(folds)]
            values = of_models(here, kind, n_resamples, seed)
            rows += [
                (model, target, split, int(fold), metric, *triple, values.get(baseline, measures)[metric][0])
                for model, measures in values.items()
                for metric, triple in measures.items()
            ]
    return pd.DataFrame(rows, columns=list(METRIC_COLUMNS)).astype(METRIC_COLUMNS)


def of_models(
    here: pd.DataFrame, kind: str, n_resamples: int, seed: int
) -> dict[str, dict[str, tuple[float, float, float]]]:
    """Measure every model on the same rows, and so on the same draws: model to what :func:`intervals` gives."""
    known: tuple[IntArray, list[FloatArray]] | None = None
    found = {}
    for model, own in here.sort_values("row", kind="stable").groupby("model", sort=False):
        groups = own["group"].to_numpy(dtype="int64")
        if known is None or not np.array_equal(known[0], groups):
            known = groups, draws(groups, n_resamples, seed)
        found[str(model)] = intervals(
            own["actual"].to_numpy(dtype="float64"), own["prediction"].to_numpy(dtype="float64"), groups, kind=kind,
            threshold=float(own["threshold"].iloc[0]), n_resamples=n_resamples, seed=seed, counts=known[1],
        )  # fmt: skip
    return found


def intervals(
    y: FloatArray,
    p: FloatArray,
    groups: IntArray,
    *,
    kind: str,
    threshold: float = 0.5,
    n_resamples: int,
    seed: int,
    counts: list[FloatArray] | None = None,
) -> dict[str, tuple[float, float, float]]:
    """Measure one set of predictions.

    Parameters
    ----------
    y, p : array of shape (n,)
        Outcomes and predictions.
    groups : array of shape (n,)
        Number of the customer: rows of one are drawn together.
    kind : str
        ``classification`` or ``regression``.
    threshold : float
        Probability from which a customer counts as yes.
    n_resamples, seed : int
        As for :func:`evaluate`.
    counts : list of arrays, optional
        The draws of :func:`draws`, where several models are measured on the same rows.

    Returns
    -------
    dict
        Metric to value and 95 % interval (NaN where there is none).
    """
    measure = _measure(y, p, kind, threshold)
    value = {name: float(v[0]) for name, v in measure(np.ones((len(y), 1))).items()}
    if n_resamples == 0 or not len(y):
        return {name: (v, np.nan, np.nan) for name, v in value.items()}
    rows = _interval_rows(len(y), seed)
    if len(rows) < len(y):
        measure = _measure(y[rows], p[rows], kind, threshold)
    drawn = resample(measure, draws(groups, n_resamples, seed) if counts is None else counts)
    return {name: (v, *_interval(v, drawn[name], np.sqrt(len(rows) / len(y)))) for name, v in value.items()}


def draws(groups: IntArray, n_resamples: int, seed: int) -> list[FloatArray]:
    """Draw customers: parts of shape (n_rows, n_drawn), of the rows that :func:`intervals` looks at."""
    rows = _interval_rows(len(groups), seed)
    codes = np.unique(groups[rows], return_inverse=True)[1]
    return list(draw_counts(int(codes.max(initial=-1)) + 1, n_resamples, seed, codes=codes)) if len(codes) else []


def _measure(
    y: FloatArray, p: FloatArray, kind: str, threshold: float
) -> Callable[[FloatArray], dict[str, FloatArray]]:
    return _amounts(y, p) if kind == "regression" else Probabilities(y, p, threshold).measure


def _interval_rows(n: int, seed: int) -> IntArray:
    """Choose the rows that intervals come from."""
    if n <= MAX_BOOTSTRAP_ROWS:
        return np.arange(n)
    return np.sort(np.random.default_rng(seed).choice(n, MAX_BOOTSTRAP_ROWS, replace=False))


def _interval(value: float, drawn: FloatArray, widen: float) -> tuple[float, float]:
    if not np.isfinite(value):
        return np.nan, np.nan
    low, high = percentiles(drawn)
    if widen < 1:
        # A sample's interval is that of fewer rows; about the middle of the draws it shrinks as the square root.
        middle = float(np.median(drawn[np.isfinite(drawn)]))
        low, high = (value + (end - middle) * widen for end in (low, high))
    return low, high


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
        y, p = part["actual"].to_numpy(dtype="float64"), part["prediction"].to_numpy(dtype="float64")
        rate = y.mean()
        for decile, n, positive, mean in _counted(assign_deciles(p, part["row"].to_numpy()), y, p):
            lift = positive / n / rate if rate > 0 else np.nan
            rows.append((model, target, split, decile, n, int(positive), mean, positive / n, lift))
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
        y, p = part["actual"].to_numpy(dtype="float64"), part["prediction"].to_numpy(dtype="float64")
        for at, n, positive, mean in _counted(number, y, p):
            rows.append((model, target, split, at + 1, n, mean, positive / n, *wilson(positive, n)))
    columns = [
        "model", "target", "split", "bin",
        "n_customers", "mean_probability", "observed_rate", "interval_low", "interval_high",
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=columns)


def _counted(number: IntArray, y: FloatArray, p: FloatArray) -> Iterator[tuple[int, int, float, float]]:
    """Give number, rows, rows of yes and mean probability of each bin that has rows, in their order."""
    n = np.bincount(number)
    positive, total = np.bincount(number, y), np.bincount(number, p)
    for at in np.flatnonzero(n).tolist():
        yield at, int(n[at]), float(positive[at]), float(total[at] / n[at])


def confusion_matrices(predictions: pd.DataFrame, *, target: str) -> pd.DataFrame:
    """Count predicted against actual yes and no.

    Returns
    -------
    DataFrame
        ``model, target, split, threshold, is_actual, is_predicted, n_customers``: four rows per model and split.
    """
    rows = []
    for (model, split), part in predictions.groupby(["model", "split"], sort=True):
        threshold = float(part["threshold"].iloc[0])
        yes, actual = part["prediction"].to_numpy() >= threshold, part["actual"].to_numpy() == 1
        for is_actual in (False, True):
            for is_predicted in (False, True):
                n = int(((actual == is_actual) & (yes == is_predicted)).sum())
                rows.append((model, target, split, threshold, is_actual, is_predicted, n))
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


def _amounts(y: FloatArray, p: FloatArray) -> Callable[[FloatArray], dict[str, FloatArray]]:
    """Measures of amounts: a function of weights of shape (n, n_weightings)."""
    middle = float(y.mean()) if len(y) else 0.0
    off = y - middle
    sums = np.column_stack([np.ones(len(y)), off, off**2, np.abs(y - p), (y - p) ** 2])

    def measure(w: FloatArray) -> dict[str, FloatArray]:
        total, first, second, absolute, squares = sums.T @ w
        spread = second - total * ratio(first, total) ** 2
        return {
            "mae": ratio(absolute, total),
            "rmse": np.sqrt(ratio(squares, total)),
            "r2": 1 - ratio(squares, np.where(spread > 1e-12, spread, 0.0)),
        }

    return measure
