"""Log-odds made probabilities."""

import numpy as np
from scipy.special import expit

from crm_mining.common.arrays import FloatArray

#: Models whose log-odds are probabilities' already: their calibration is drawn to no change (see :func:`calibrate`).
CALIBRATED = ("logistic_regression", "scorecard", "random_forest", "boosting", "average")
#: How far intercept and slope of the calibration of such models are from 0 and 1, before anything is seen.
INTERCEPT_SPREAD, SLOPE_SPREAD = 0.2, 0.1


def platt(log_odds: FloatArray, y: FloatArray) -> tuple[float, float]:
    """Calibrate log-odds by a straight line (Platt 1999), which keeps the order and adds no ties as isotonic does.

    Parameters
    ----------
    log_odds : array of shape (n,)
        Of rows that the model was not fitted on.
    y : array of shape (n,)
        0 or 1.

    Returns
    -------
    (a, b) : tuple of float
        Calibrated log-odds are ``a + b * log_odds``; ``b`` is never negative, and (prior log-odds, 0) where the scores
        rank no better than chance.
    """
    prior = prior_log_odds(y)
    spread = float(log_odds.std()) if len(log_odds) else 0.0
    if spread < 1e-12 or len(np.unique(y)) < 2:
        return prior, 0.0
    z = (log_odds - log_odds.mean()) / spread
    a, b = prior, 0.0
    for _ in range(50):
        p = expit(a + b * z)
        w = np.maximum(p * (1 - p), 1e-10)
        # A hair of a penalty, so that scores that part the classes wholly do not drive b without end.
        gradient = np.array([np.sum(y - p), np.sum((y - p) * z) - 0.1 * b])
        hessian = np.array([[w.sum(), (w * z).sum()], [(w * z).sum(), (w * z * z).sum() + 0.1]])
        step = np.linalg.solve(hessian, gradient)
        step /= max(1.0, float(np.abs(step).max()))
        a, b = a + step[0], b + step[1]
        if np.abs(step).max() < 1e-12:
            break
    if b <= 0:
        return prior, 0.0
    return float(a - b * log_odds.mean() / spread), float(b / spread)


def calibrate(name: str, log_odds: FloatArray, y: FloatArray) -> tuple[float, float]:
    """Calibrate a model's log-odds by a straight line.

    The line of :func:`platt`, but for models of :data:`CALIBRATED` drawn to no change: they were fitted to tell
    probabilities, to fewer rows than the final model is, and the next window differs from the one that the line is
    learned from. How strongly was chosen on worlds of crm_mining.synth that no figure is given of.

    Parameters
    ----------
    name : str
        Of the model.
    log_odds, y : array of shape (n,)
        As for :func:`platt`.

    Returns
    -------
    (a, b) : tuple of float
        As of :func:`platt`.
    """
    if name not in CALIBRATED or len(np.unique(y)) < 2:
        return platt(log_odds, y)
    a, b = 0.0, 1.0
    pull_a, pull_b = INTERCEPT_SPREAD**-2, SLOPE_SPREAD**-2
    for _ in range(50):
        p = expit(a + b * log_odds)
        w = p * (1 - p)
        gradient = np.array([np.sum(y - p) - pull_a * a, np.sum((y - p) * log_odds) - pull_b * (b - 1)])
        cross = (w * log_odds).sum()
        hessian = np.array([[w.sum() + pull_a, cross], [cross, (w * log_odds**2).sum() + pull_b]])
        step = np.linalg.solve(hessian, gradient)
        step /= max(1.0, float(np.abs(step).max()))
        a, b = a + step[0], b + step[1]
        if np.abs(step).max() < 1e-12:
            break
    return (float(a), float(b)) if b > 0 else (prior_log_odds(y), 0.0)


def prior_log_odds(y: FloatArray) -> float:
    """Log-odds of the share of yes, half a row of each kind added so that they are finite; 0 without rows."""
    return float(np.log(y.sum() + 0.5) - np.log((1 - y).sum() + 0.5)) if len(y) else 0.0
