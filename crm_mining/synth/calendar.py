"""The three simulated years: seconds, days, months, and the seasons that shape demand.

All instants are int64 seconds since 1970-01-01 UTC; days and months are counted from the first simulated day.
"""

from __future__ import annotations

import numpy as np

from crm_mining.common.arrays import FloatArray, IntArray

DAY = 86_400
START = int(np.datetime64("2023-01-01T00:00:00", "s").astype(np.int64))
END = int(np.datetime64("2025-12-31T23:59:59", "s").astype(np.int64))
YEARS = (2023, 2024, 2025)
N_DAYS = (END - START) // DAY + 1
N_MONTHS = 36

_DATES = np.datetime64("2023-01-01", "D") + np.arange(N_DAYS)
MONTH_OF_DAY: IntArray = (_DATES.astype("datetime64[M]") - np.datetime64("2023-01", "M")).astype(np.int64)
YEAR_OF_DAY: IntArray = MONTH_OF_DAY // 12
FIRST_DAY_OF_MONTH: IntArray = np.searchsorted(MONTH_OF_DAY, np.arange(N_MONTHS + 1)).astype(np.int64)
DATE_TEXT = _DATES.astype(str).astype(object)
MONTH_TEXT = (np.datetime64("2023-01", "M") + np.arange(N_MONTHS)).astype(str).astype(object)

# Demand by weekday (Monday first) and by calendar month; December is the season of gifts, August of holidays.
_WEEKDAY = np.array([1.06, 0.98, 0.95, 0.97, 1.05, 1.13, 0.86])
_MONTH = np.array([0.90, 0.86, 0.98, 1.04, 1.06, 1.00, 0.92, 0.85, 0.97, 1.02, 1.18, 1.32])
_YEARLY_GROWTH = 0.05
# Share of orders by hour of the day (UTC).
_HOUR = np.array(
    [1, 0.6, 0.4, 0.3, 0.3, 0.6, 1.5, 3, 4.5, 5.5, 6, 6, 5.8, 5.5, 5.3, 5.2, 5.6, 6.3, 7, 7.8, 8, 6.5, 4, 2.1]
)


def day_of(seconds: IntArray) -> IntArray:
    """Count the days from the first simulated day to each instant."""
    return (seconds - START) // DAY


def month_of(seconds: IntArray) -> IntArray:
    """Count the months from the first simulated month to each instant; the instants lie inside the three years."""
    return MONTH_OF_DAY[day_of(seconds)]


def year_of(seconds: IntArray) -> IntArray:
    """Give the position in `YEARS` of each instant inside the three years."""
    return YEAR_OF_DAY[day_of(seconds)]


def demand_by_day(sale_days: FloatArray) -> FloatArray:
    """Weigh each simulated day: weekly season x yearly season x trend x extra demand of sales; the mean is 1.

    Parameters
    ----------
    sale_days
        Factor of each day for promotions, shape (N_DAYS,), 1 where there is none.
    """
    days = np.arange(N_DAYS)
    weekday = (days + 6) % 7  # 2023-01-01 was a Sunday
    weight = _WEEKDAY[weekday] * _MONTH[MONTH_OF_DAY % 12] * (1 + _YEARLY_GROWTH * days / 365.25) * sale_days
    return np.asarray(weight / weight.mean())


def draw_instants(rng: np.random.Generator, day_weight: FloatArray, earliest: IntArray, latest: IntArray) -> IntArray:
    """Draw one instant between two instants each, days by their weight and hours by the shop's daily rhythm.

    Parameters
    ----------
    rng
        Source of randomness.
    day_weight
        Weight of each simulated day, shape (N_DAYS,).
    earliest, latest
        Bounds in seconds, both included, shape (n,), inside the three years.
    """
    cumulative = np.concatenate([[0.0], np.cumsum(day_weight)])
    low = cumulative[day_of(earliest)]
    high = cumulative[day_of(latest) + 1]
    day = np.searchsorted(cumulative, low + rng.random(len(earliest)) * (high - low), side="right") - 1
    hours = np.concatenate([[0.0], np.cumsum(_HOUR) / _HOUR.sum()])
    second = np.interp(rng.random(len(earliest)), hours, np.arange(25) * 3600.0)
    drawn = START + np.minimum(day, N_DAYS - 1) * DAY + np.minimum(second.astype(np.int64), DAY - 1)
    return np.asarray(np.clip(drawn, earliest, latest), dtype=np.int64)
