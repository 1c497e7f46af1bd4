"""Forecasts by whole seasons: their totals on the one hand, how a total is spread over a season on the other.

A month's value is noisy, a year's total much less so, and its trend is seen without the season in the way; so a
forecast of the totals, spread by the usual profile, errs otherwise than one of the months (temporal aggregation:
Athanasopoulos, Hyndman, Kourentzes & Petropoulos 2017, *Forecasting with temporal hierarchies*, EJOR 262). There are
two: the last total again, and the totals carried on by Theta of their logarithms.
"""

import numpy as np

from crm_mining.common.arrays import FloatArray
from crm_mining.forecasting.smoothing import forecast_theta

#: Seasons that the profile is the mean of. On the training part of the tourism set 5 and 8 were better than 1, 2 or 3.
PROFILE_SEASONS = 5


def season_profile(y: FloatArray, period: int) -> FloatArray | None:
    """Find how the total of a season is spread over it: means of the shares in the last seasons.

    Parameters
    ----------
    y : array of shape (n,)
        The series, not below 0.
    period : int
        Observations in a season, at least 2.

    Returns
    -------
    array of shape (period,) or None
        Sums to 1; its first share is of the observation after the last one. None where there are not two whole seasons,
        or a season's total is 0.

    Examples
    --------
    >>> season_profile(np.array([9.0, 1, 3, 1, 3]), 2).tolist()
    [0.25, 0.75]
    """
    rows = _seasons(y, period)[-PROFILE_SEASONS:]
    totals = rows.sum(axis=1, keepdims=True)
    if len(rows) < 2 or not (totals > 0).all():
        return None
    return np.asarray((rows / totals).mean(axis=0))


def _seasons(y: FloatArray, period: int) -> FloatArray:
    """Cut the series into whole seasons, the last one ending with it: shape (seasons, period)."""
    count = len(y) // period
    return y[len(y) - count * period :].reshape(count, period)


def forecast_profile(y: FloatArray, period: int, horizon: int) -> FloatArray | None:
    """Forecast the last season's total again, spread by the profile; None where there is none.

    Parameters
    ----------
    y, period
        As in :func:`season_profile`.
    horizon : int
        Values to forecast.

    Returns
    -------
    array of shape (horizon,) or None
    """
    profile = season_profile(y, period)
    return None if profile is None else np.resize(profile * y[-period:].sum(), horizon)


def forecast_totals(y: FloatArray, period: int, horizon: int) -> FloatArray | None:
    """Forecast the totals of the next seasons by Theta of their logarithms, spread by the profile; None without one.

    Parameters
    ----------
    y, period, horizon
        As in :func:`forecast_profile`.

    Returns
    -------
    array of shape (horizon,) or None
    """
    profile = season_profile(y, period)
    totals = _seasons(y, period).sum(axis=1)
    if profile is None or not (totals > 0).all():
        return None
    ahead = np.exp(np.minimum(forecast_theta(np.log(totals), 1, -(-horizon // period)), 50.0))
    return np.asarray((ahead[:, None] * profile).reshape(-1)[:horizon])
