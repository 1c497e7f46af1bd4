"""Forecasts that add up: bottom-up, and by the least change that the errors seen in back-tests allow (MinT).

MinT (Wickramasuriya, Athanasopoulos & Hyndman 2019, *Optimal forecast reconciliation for hierarchical and grouped
time series through trace minimization*, JASA 114) is used in its form with constraints: with ``C`` the sums that must
be 0 and ``W`` the covariance of the errors, a forecast ``f`` becomes ``f - W Cᵀ (C W Cᵀ)⁻¹ C f``. So a total may be
split in several ways (by category, by channel) without the crossing of all of them ever being forecast. ``W`` is shrunk
towards its diagonal as Schäfer & Strimmer (2005) do.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from crm_mining.common.arrays import FloatArray

BOTTOM_UP, MINT = "bottom_up", "mint"


def constraints(n_series: int, total: int, parts: Sequence[Sequence[int]]) -> FloatArray:
    """Write down that each split sums up to the total.

    Parameters
    ----------
    n_series : int
        Series in all.
    total : int
        Number of the total.
    parts : sequence of sequences of int
        Numbers of the series of each split.

    Returns
    -------
    array of shape (number of splits, n_series)
        Rows whose product with a coherent vector is 0.

    Examples
    --------
    >>> constraints(3, 0, [[1, 2]]).tolist()
    [[-1.0, 1.0, 1.0]]
    """
    c = np.zeros((len(parts), n_series))
    for row, members in enumerate(parts):
        c[row, total] = -1.0
        c[row, list(members)] = 1.0
    return c


def shrunk_covariance(errors: FloatArray) -> FloatArray:
    """Estimate a covariance about 0, correlations shrunk (Schäfer & Strimmer 2005).

    Parameters
    ----------
    errors : array of shape (n, k)
        Of k series, side by side.

    Returns
    -------
    array of shape (k, k)
        Positive definite, also for series without any error.
    """
    n, k = errors.shape
    scale = np.sqrt(np.mean(errors**2, axis=0))
    floor = max(float(scale.max()), 1e-12) * 1e-6
    scale = np.maximum(scale, floor)
    z = errors / scale
    correlation = z.T @ z / n
    np.fill_diagonal(correlation, 0.0)
    spread = (z[:, :, None] * z[:, None, :] - correlation) if n * k * k <= 5e6 else None
    variance = np.zeros((k, k)) if spread is None else (spread**2).sum(axis=0) * n / max(n - 1, 1) ** 3
    np.fill_diagonal(variance, 0.0)
    total = float((correlation**2).sum())
    shrinkage = 1.0 if spread is None or total <= 0 else float(np.clip(variance.sum() / total, 0.0, 1.0))
    correlation *= 1 - shrinkage
    np.fill_diagonal(correlation, 1.0)
    return np.asarray(correlation * scale[:, None] * scale[None, :])


def project(forecasts: FloatArray, c: FloatArray, covariance: FloatArray) -> FloatArray:
    """Change forecasts as little as the covariance allows so that they add up.

    Parameters
    ----------
    forecasts : array of shape (k, m)
        m vectors of k series.
    c : array of shape (s, k)
        As :func:`constraints` returns it.
    covariance : array of shape (k, k)
        Of the errors; a series with a variance of 0 stays as it is.

    Returns
    -------
    array of shape (k, m)
    """
    cross = covariance @ c.T
    return np.asarray(forecasts - cross @ np.linalg.lstsq(c @ cross, c @ forecasts, rcond=None)[0])


def bottom_up(forecasts: FloatArray, total: int, parts: Sequence[Sequence[int]]) -> FloatArray:
    """Take the total as the sum of the first split, and stretch the other splits to it.

    Parameters
    ----------
    forecasts : array of shape (k, m)
        m vectors of k series.
    total, parts : int, sequence of sequences of int
        As in :func:`constraints`.

    Returns
    -------
    array of shape (k, m)
    """
    out = forecasts.copy()
    out[total] = forecasts[list(parts[0])].sum(axis=0)
    for members in parts[1:]:
        rows = list(members)
        gap = out[total] - forecasts[rows].sum(axis=0)
        size = np.abs(forecasts[rows]).sum(axis=0)
        share = np.where(size > 0, np.abs(forecasts[rows]) / np.where(size > 0, size, 1.0), 1 / len(rows))
        out[rows] = forecasts[rows] + share * gap
    return out


def splits(keys: Mapping[str, tuple[str, str]]) -> tuple[str, list[list[str]]] | None:
    """Find the total and its splits.

    Parameters
    ----------
    keys : mapping
        Series to ``(dimension, member)``; the total's dimension is ``total``.

    Returns
    -------
    tuple or None
        The total's series, and for each other dimension (in alphabetical order) its series; None where there is no
        total or nothing beside it.
    """
    totals = sorted(series for series, (dimension, _) in keys.items() if dimension == "total")
    dimensions = sorted({dimension for dimension, _ in keys.values()} - {"total"})
    if len(totals) != 1 or not dimensions:
        return None
    return totals[0], [sorted(s for s, (own, _) in keys.items() if own == dimension) for dimension in dimensions]
