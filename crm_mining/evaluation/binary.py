"""How good probabilities of a yes or no are: ROC AUC, calibration, Brier score."""

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import expit
from scipy.stats import rankdata

from crm_mining.common.arrays import FloatArray
from crm_mining.common.seeds import SEED


def evaluate_p_alive(alive: npt.ArrayLike, is_alive: npt.ArrayLike, baseline: npt.ArrayLike) -> pd.DataFrame:
    """Hold p_alive against the truth.

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
        customers. No rows when all or none are alive: there is nothing to tell apart.
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
    resampled = np.array([_measures(p[i], truth[i]) for i in samples if 0 < truth[i].mean() < 1])
    low, high = np.quantile(resampled, [0.025, 0.975], axis=0)
    share = float(truth.mean())
    of_baseline = [_roc_auc(rule, truth), np.nan, np.nan, share * (1 - share)]
    return pd.DataFrame(
        {
            "metric": names,
            "value": _measures(p, truth),
            "interval_low": low,
            "interval_high": high,
            "baseline": of_baseline,
        }
    )


def _measures(p: FloatArray, truth: FloatArray) -> list[float]:
    slope, intercept = _calibration(p, truth)
    return [_roc_auc(p, truth), slope, intercept, float(np.mean((p - truth) ** 2))]


def _roc_auc(score: FloatArray, truth: FloatArray) -> float:
    n_alive = truth.sum()
    rank_sum = rankdata(score)[truth == 1].sum()
    return float((rank_sum - n_alive * (n_alive + 1) / 2) / (n_alive * (len(truth) - n_alive)))


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
