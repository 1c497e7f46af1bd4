"""Calibration: log-odds turned into probabilities that come true as often as they say."""

import numpy as np

from crm_mining.common.arrays import FloatArray
from crm_mining.evaluation.logistic import fit_line

#: Models whose log-odds are those of probabilities already: their calibration is shrunk towards no change (see
#: :func:`calibrate`).
CALIBRATED = ("logistic_regression", "scorecard", "random_forest", "boosting", "average")
#: Standard deviations, about 0 and 1, of intercept and slope of the calibration of such models before anything is seen.
INTERCEPT_DEVIATION, SLOPE_DEVIATION = 0.2, 0.1


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
    scale = float(log_odds.std()) if len(log_odds) else 0.0
    if scale < 1e-12 or len(np.unique(y)) < 2:
        return prior, 0.0
    z = (log_odds - log_odds.mean()) / scale
    # A slight penalty, so that scores that separate the classes completely don't drive b without end.
    a, b = fit_line(z, y, start=(prior, 0.0), precision=(0.0, 0.1), least_variance=1e-10)
    if b <= 0:
        return prior, 0.0
    return float(a - b * log_odds.mean() / scale), float(b / scale)


def calibrate(name: str, log_odds: FloatArray, y: FloatArray) -> tuple[float, float]:
    """Calibrate a model's log-odds by a straight line.

    The line of :func:`platt`. For models of :data:`CALIBRATED` it is shrunk towards no change: they were fitted to give
    probabilities; they were fitted to fewer rows than the final model; and the next window differs from the one that
    the line is learned from. How strongly was chosen on worlds of crm_mining.synth that no reported figure comes from.

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
    precision = (INTERCEPT_DEVIATION**-2, SLOPE_DEVIATION**-2)
    a, b = fit_line(log_odds, y, prior=(0.0, 1.0), precision=precision, squares=log_odds**2)
    return (a, b) if b > 0 else (prior_log_odds(y), 0.0)


def prior_log_odds(y: FloatArray) -> float:
    """Log-odds of the share of yes, half a row of each kind added so that they are finite; 0 without rows."""
    return float(np.log(y.sum() + 0.5) - np.log((1 - y).sum() + 0.5)) if len(y) else 0.0
