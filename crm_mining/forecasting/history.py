"""What a series is before anything is fitted to it: cleaned, and with a status that says what can be done with it."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from crm_mining.common.arrays import BoolArray, FloatArray

#: A fit looks at the last observations, this many of them or this many seasons, whichever is more.
MAX_OBSERVATIONS, MAX_SEASONS = 400, 25
#: Fewer observations than this (or fewer values other than 0) are no ground for a model.
MIN_OBSERVATIONS, MIN_NONZERO = 6, 3

#: Larger values measure nothing, and their squares would overflow: they are missing.
LARGEST = 1e100

OK, NEW = "ok", "new"
NO_DATA, TOO_SHORT, ALL_ZERO, CONSTANT, SPARSE, DEAD = "no_data", "too_short", "all_zero", "constant", "sparse", "dead"
#: Statuses with which models are fitted; with the others a rule of thumb forecasts.
MODELLED = (OK, NEW)


@dataclass(frozen=True)
class History:
    """A series as it is fitted.

    Parameters
    ----------
    y : array of shape (n,)
        Finite values, from the first one that is not 0 on.
    status : str
        ``ok``; ``new`` (less than two seasons); and without a model ``no_data``, ``too_short``, ``all_zero``,
        ``constant``, ``sparse`` (one or two values other than 0), ``dead`` (nothing but 0 for a whole season).
    n_missing : int
        Gaps within it that were interpolated.
    n_left_out : int
        Early observations beyond what a fit looks at.
    """

    y: FloatArray
    status: str
    n_missing: int
    n_left_out: int


def prepare(values: npt.ArrayLike, period: int) -> History:
    """Clean a series and say what it is.

    Parameters
    ----------
    values : array of shape (n,)
        One value per period, in order of time; NaN, infinities and values beyond :data:`LARGEST` are missing and are
        interpolated, at the end carried on. Zeros before the first other value are not yet part of the series.
    period : int
        Observations in a season, at least 1 (none).

    Returns
    -------
    History

    Raises
    ------
    ValueError
        When ``values`` is not one-dimensional or ``period`` is below 1.

    Examples
    --------
    >>> prepare([0, 0, 3, float("nan"), 5, 4, 6, 5], 1)
    History(y=array([3., 4., 5., 4., 6., 5.]), status='ok', n_missing=1, n_left_out=0)
    """
    if period < 1:
        raise ValueError(f"period is {period}; allowed: 1 (no season) and above")
    y = np.asarray(values, dtype="float64")
    if y.ndim != 1:
        raise ValueError(f"values have {y.ndim} dimensions; allowed: 1")
    is_known = known(y)
    started = np.flatnonzero(is_known & (y != 0))
    if not len(started):
        return History(np.zeros(0), ALL_ZERO if is_known.any() else NO_DATA, 0, 0)
    y, is_known = y[started[0] :], is_known[started[0] :]
    n_all = len(y)
    n_kept = max(MAX_OBSERVATIONS, MAX_SEASONS * period if period <= 60 else 0)
    y, is_known = y[-n_kept:], is_known[-n_kept:]
    if not is_known.any():
        return History(np.zeros(0), NO_DATA, 0, n_all)
    n_missing = int((~is_known).sum())
    if n_missing:
        y = np.interp(np.arange(len(y)), np.flatnonzero(is_known), y[is_known])
    return History(y, _status(y, period), n_missing, n_all - len(y))


def known(y: FloatArray) -> BoolArray:
    """Tell which values are not missing."""
    return np.asarray(np.abs(np.nan_to_num(y, nan=np.inf)) <= LARGEST)


def _status(y: FloatArray, period: int) -> str:
    n_silent = len(y) - 1 - int(np.flatnonzero(y)[-1]) if np.any(y) else len(y)
    if not np.any(y):
        return DEAD
    if n_silent >= max(min(period, 26), 6):
        return DEAD
    if len(y) < MIN_OBSERVATIONS:
        return TOO_SHORT
    if np.ptp(y) <= 1e-9 * float(np.abs(y).max()):
        return CONSTANT
    if np.count_nonzero(y) < MIN_NONZERO:
        return SPARSE
    return NEW if len(y) < 2 * period else OK


def seasonal_naive(y: FloatArray, period: int, horizon: int) -> FloatArray:
    """Repeat the last season; the last value where there is no whole season, 0 where there is nothing.

    Examples
    --------
    >>> seasonal_naive(np.array([1.0, 2, 3, 4]), 2, 3).tolist()
    [3.0, 4.0, 3.0]
    """
    if not len(y):
        return np.zeros(horizon)
    return np.resize(y[-period:] if len(y) >= period else y[-1:], horizon)


def rule_of_thumb(history: History, horizon: int) -> FloatArray:
    """Forecast without a model: 0 for what is dead or was never alive, else the mean."""
    mean = 0.0 if history.status in (NO_DATA, ALL_ZERO, DEAD) else float(history.y.mean())
    return np.full(horizon, mean)
