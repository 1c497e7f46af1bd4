"""How good probabilities of a yes or no are: order (ROC, precision), calibration, losses."""

import numpy as np
from scipy.special import logit

from crm_mining.common.arrays import FloatArray
from crm_mining.evaluation.logistic import fit_lines

#: Probabilities are kept this far from 0 and 1 before a logarithm is taken.
_LEAST = 1e-6


def measures(y: FloatArray, p: FloatArray, w: FloatArray, threshold: float) -> dict[str, FloatArray]:
    """Measure probabilities, once for each weighting of the rows.

    Parameters
    ----------
    y : array of shape (n,)
        0 or 1.
    p : array of shape (n,)
        Probabilities of 1.
    w : array of shape (n_weightings, n)
        Weights of the rows: ones, or what a bootstrap draws.
    threshold : float
        A probability at or above it counts as yes.

    Returns
    -------
    dict
        Measure to array of shape (n_weightings,); NaN where it is not defined.
    """
    yes = p >= threshold
    total, positive = w.sum(axis=1), w @ y
    tp, predicted = w @ (y * yes), w @ yes.astype("float64")
    negative = total - positive
    tn = negative - (predicted - tp)
    recall = ratio(tp, positive)
    precision = np.where(predicted > 0, np.divide(tp, predicted, out=np.zeros_like(tp), where=predicted > 0), 0.0)
    return {
        "accuracy": ratio(tp + tn, total),
        "precision": precision,
        "recall": recall,
        "f1": ratio(2 * tp, predicted + positive),
        "balanced_accuracy": (recall + ratio(tn, negative)) / 2,
        **_ranking(y, p, w),
        "brier_score": ratio(w @ (y - p) ** 2, total),
        "log_loss": ratio(w @ log_losses(y, p), total),
        "calibration_slope": _slope(y, p, w),
    }


def roc_auc(y: FloatArray, p: FloatArray) -> float:
    """Area under the ROC curve, ties counted half: the chance that a yes has the greater number (Hanley & McNeil 1982).

    Parameters
    ----------
    y : array of shape (n,)
        0 or 1.
    p : array of shape (n,)
        Any number that rises with the belief in a yes.

    Returns
    -------
    float
        Between 0 and 1; NaN with one class.

    Examples
    --------
    >>> roc_auc(np.array([0.0, 1.0, 1.0]), np.array([0.2, 0.2, 0.9]))
    0.75
    """
    return float(_ranking(y, p, np.ones((1, len(y))))["roc_auc"][0])


def log_losses(y: FloatArray, p: FloatArray) -> FloatArray:
    """Minus the log-likelihood of each row, shape (n,)."""
    p = np.clip(p, _LEAST, 1 - _LEAST)
    return np.asarray(-(y * np.log(p) + (1 - y) * np.log1p(-p)))


def ratio(a: FloatArray, b: FloatArray) -> FloatArray:
    """Divide; NaN where ``b`` is not above 0."""
    return np.divide(a, b, out=np.full_like(a, np.nan), where=b > 0)


def _ranking(y: FloatArray, p: FloatArray, w: FloatArray) -> dict[str, FloatArray]:
    """Measures of the order alone; rows of equal probability count as one."""
    order = np.argsort(-p, kind="stable")
    starts = np.flatnonzero(np.r_[True, np.diff(p[order]) != 0]) if len(p) else np.zeros(0, dtype="int64")
    if not len(starts):
        return {name: np.full(len(w), np.nan) for name in ("roc_auc", "average_precision", "lift_first_decile")}
    weights = w[:, order]
    positive = np.add.reduceat(weights * y[order], starts, axis=1)
    everyone = np.add.reduceat(weights, starts, axis=1)
    negative = everyone - positive
    cum_positive, cum_all = positive.cumsum(axis=1), everyone.cumsum(axis=1)
    n_positive, n_all = cum_positive[:, -1], cum_all[:, -1]
    below = (cum_positive - positive / 2) * negative
    precision = np.divide(cum_positive, cum_all, out=np.zeros_like(cum_all), where=cum_all > 0)
    # Of a tie across the border of the first tenth, a share counts: what random order gives on average.
    room = n_all[:, None] / 10 - (cum_all - everyone)
    share = np.clip(np.divide(room, everyone, out=np.zeros_like(room), where=everyone > 0), 0, 1)
    in_top = (positive * share).sum(axis=1)
    return {
        "roc_auc": ratio(below.sum(axis=1), n_positive * (n_all - n_positive)),
        "average_precision": ratio((positive * precision).sum(axis=1), n_positive),
        "lift_first_decile": ratio(in_top * 10, n_positive),
    }


def _slope(y: FloatArray, p: FloatArray, w: FloatArray) -> FloatArray:
    """Slope of a logistic regression of the outcome on the predicted log-odds (Cox 1958); 1 is calibrated."""
    z = logit(np.clip(p, _LEAST, 1 - _LEAST))
    if len(z) < 3 or np.ptp(z) < 1e-9:
        return np.full(len(w), np.nan)
    ok = ((w @ y) > 0) & ((w @ (1 - y)) > 0)
    # Draws begin where all rows end, and so need a few steps only.
    start = None if len(w) == 1 else fit_lines(z, y, np.ones((1, len(y))), None)
    _, b = fit_lines(z, y, w, start)
    return np.where(ok & np.isfinite(b), b, np.nan)
