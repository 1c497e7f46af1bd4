"""Logistic regression on one variable: the line ``a + b * z`` of log-odds, by Newton's method."""

import numpy as np
from scipy.special import expit

from crm_mining.common.arrays import FloatArray

#: A step changes neither coefficient by more than this: far from the maximum Newton's method overshoots.
MAX_STEP = 1.0
#: The fit has converged when no coefficient moves by more than this.
CONVERGED_STEP = 1e-12


def fit_line(
    z: FloatArray,
    y: FloatArray,
    *,
    start: tuple[float, float] = (0.0, 1.0),
    prior: tuple[float, float] = (0.0, 0.0),
    precision: tuple[float, float] = (0.0, 0.0),
    least_variance: float = 0.0,
    squares: FloatArray | None = None,
) -> tuple[float, float]:
    """Fit one line by penalised maximum likelihood.

    Parameters
    ----------
    z : array of shape (n,)
        The variable.
    y : array of shape (n,)
        0 or 1.
    start : tuple of float
        Intercept and slope to begin with.
    prior, precision : tuple of float
        Means of intercept and slope before anything is seen, and how strongly they are shrunk towards them: the inverse
        variances of their normal priors. With a precision of 0 there is no penalty.
    least_variance : float
        Floor of each row's variance ``p (1 - p)``, which keeps the curvature above 0 where all rows are certain.
    squares : array of shape (n,), optional
        ``z ** 2``, where the caller has it: then the curvature is a sum of ``w * z ** 2`` instead of ``(w * z) * z``.
        The order of the products shows in a last digit, and stored fits must stay as they are to the last digit.

    Returns
    -------
    (a, b) : tuple of float
        Intercept and slope.
    """
    a, b = start
    for _ in range(50):
        p = expit(a + b * z)
        w = np.maximum(p * (1 - p), least_variance)
        gradient = np.array(
            [np.sum(y - p) - precision[0] * (a - prior[0]), np.sum((y - p) * z) - precision[1] * (b - prior[1])]
        )
        cross = (w * z).sum()
        curvature = (w * z * z if squares is None else w * squares).sum()
        hessian = np.array([[w.sum() + precision[0], cross], [cross, curvature + precision[1]]])
        step = np.linalg.solve(hessian, gradient)
        step *= MAX_STEP / max(MAX_STEP, float(np.abs(step).max()))
        a, b = a + step[0], b + step[1]
        if np.abs(step).max() < CONVERGED_STEP:
            break
    return float(a), float(b)


def fit_lines(
    z: FloatArray, y: FloatArray, w: FloatArray, start: tuple[FloatArray, FloatArray] | None = None
) -> tuple[FloatArray, FloatArray]:
    """Fit many lines at once, one for each weighting of the same rows, without a penalty.

    Parameters
    ----------
    z, y : array of shape (n,)
        As for :func:`fit_line`.
    w : array of shape (n_weightings, n)
        Weights of the rows, as a bootstrap draws them.
    start : tuple of arrays of shape (1,), optional
        The line of all rows; from it three steps are enough for a bootstrap draw, otherwise twelve are made.

    Returns
    -------
    a, b : arrays of shape (n_weightings,)
        Intercepts and slopes; the slope is NaN where there is no maximum.
    """
    a, b = (np.zeros(len(w)), np.ones(len(w))) if start is None else (np.repeat(v, len(w)) for v in start)
    ok = np.isfinite(b)
    a, b = np.where(ok, a, 0.0), np.where(ok, b, 1.0)
    zz = z * z
    for _ in range(12 if start is None or not ok.all() else 3):
        q = expit(a[:, None] + b[:, None] * z)
        v, r = w * q * (1 - q), w * (y - q)
        h00, h01, h11 = v.sum(axis=1), v @ z, v @ zz
        g0, g1 = r.sum(axis=1), r @ z
        det = h00 * h11 - h01**2
        ok &= det > 1e-12
        det = np.where(ok, det, 1.0)
        a = a + np.where(ok, np.clip((h11 * g0 - h01 * g1) / det, -3, 3), 0)
        b = b + np.where(ok, np.clip((h00 * g1 - h01 * g0) / det, -3, 3), 0)
    return a, np.where(ok, b, np.nan)
