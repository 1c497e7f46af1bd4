"""The models that a blend is made of, fitted to one history: each gives its forecasts or, failing that, none."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from crm_mining.common.arrays import FloatArray
from crm_mining.forecasting import arima
from crm_mining.forecasting.arima import ArimaFit, Orders
from crm_mining.forecasting.history import MODELLED, History, rule_of_thumb, seasonal_naive
from crm_mining.forecasting.seasons import forecast_profile, forecast_totals
from crm_mining.forecasting.smoothing import forecast_smoothing, forecast_theta

NAIVE, ARIMA, SMOOTHING, THETA = "seasonal_naive", "arima", "smoothing", "theta"
LOG = "log_"
LOG_ARIMA, LOG_SMOOTHING, LOG_THETA = LOG + ARIMA, LOG + SMOOTHING, LOG + THETA
TOTALS, PROFILE = "season_totals", "season_profile"
METHODS = (ARIMA, LOG_ARIMA, LOG_SMOOTHING, SMOOTHING, LOG_THETA, THETA, TOTALS, PROFILE, NAIVE)
#: Methods of one kind: much alike, so that they share one vote.
KINDS = ((ARIMA, LOG_ARIMA), (LOG_SMOOTHING, SMOOTHING), (LOG_THETA, THETA), (TOTALS,), (PROFILE,), (NAIVE,))
RULE_OF_THUMB = "rule_of_thumb"
#: Longer seasons, and those seen less often than this, are described by sines and cosines instead of one
#: effect for each observation.
MAX_PERIOD, MIN_SEASONS = 24, 4
MAX_HARMONICS = 3
#: Logarithms need values above 0; where at most this share is 0, half the smallest other value is added to all.
MAX_ZERO_SHARE = 0.1
#: A forecast further outside than this many ranges of the series is discarded: the model has diverged.
MAX_RANGES = 3.0


@dataclass(frozen=True)
class Candidates:
    """Forecasts of one history.

    Parameters
    ----------
    forecasts : dict
        Method to array of shape (horizon,); ``seasonal_naive`` is always there.
    forms : dict
        Method to what was fitted, in words: ``ARIMA(2,1,1)(0,1,1)[12], exact``.
    orders : dict
        ``arima`` and ``log_arima`` to their orders, where they have any.
    """

    forecasts: dict[str, FloatArray]
    forms: dict[str, str]
    orders: dict[str, Orders] = field(default_factory=dict)


def harmonics(first: int, n: int, period: int, n_harmonics: int) -> FloatArray:
    """Sines and cosines of a season, shape (n, 2 n_harmonics), from observation number ``first`` on."""
    angle = 2 * np.pi * np.arange(first, first + n)[:, None] * np.arange(1, n_harmonics + 1) / period
    return np.hstack([np.sin(angle), np.cos(angle)])


def choose_harmonics(y: FloatArray, period: int) -> int:
    """Choose the number of harmonics by AICc of a regression on them beside a broken line; 0 below two seasons."""
    n = len(y)
    if n < 2 * period:
        return 0
    knots = np.arange(0, n, period)
    line = np.maximum(np.arange(n)[:, None] - knots, 0.0) / n
    best, least = 0, np.inf
    for count in range(min(MAX_HARMONICS, (period - 1) // 2) + 1):
        design = np.column_stack([np.ones(n), line, harmonics(0, n, period, count)])
        rest = y - design @ np.linalg.lstsq(design, y, rcond=None)[0]
        k = design.shape[1] + 1
        aicc = n * np.log(max(float(rest @ rest) / n, 1e-300)) + 2 * k * n / max(n - k - 1, 1)
        if aicc < least - 2:
            best, least = count, aicc
    return best


def candidates(
    history: History,
    period: int,
    horizon: int,
    *,
    starts: Mapping[str, Orders] | None = None,
    is_final: bool = False,
    regressors: FloatArray | None = None,
) -> Candidates:
    """Fit every model to a history and forecast.

    Parameters
    ----------
    history : History
        As :func:`~crm_mining.forecasting.history.prepare` returns it.
    period, horizon : int
        Observations in a season, 1 for none; values to forecast.
    starts : mapping, optional
        Orders that held before, of ``arima`` and ``log_arima``. Where the differences are still the same a back-test
        keeps them, and the search for the final ones begins there.
    is_final : bool
        Fit the ARIMA models exactly; else, for a back-test, by the conditional sum of squares.
    regressors : array of shape (n + horizon, k), optional
        Calendar or promotions, of the observations and of the time to forecast; used by the ARIMA models where they
        make AICc better by 2.

    Returns
    -------
    Candidates
        Only what is finite and stays within reason. Never below 0 where the history never is.
    """
    y = history.y
    naive = seasonal_naive(y, period, horizon)
    if history.status not in MODELLED:
        thumb = rule_of_thumb(history, horizon)
        return Candidates({NAIVE: naive, RULE_OF_THUMB: thumb}, {RULE_OF_THUMB: history.status})
    unit = float(np.abs(y).max())
    scaled = y / unit
    found = Candidates({NAIVE: naive}, {})
    scales: list[tuple[str, FloatArray, Callable[[FloatArray], FloatArray]]] = [("", scaled, lambda ahead: ahead)]
    if scaled.min() >= 0 and np.mean(scaled == 0) <= MAX_ZERO_SHARE:
        shift = float(scaled[scaled > 0].min()) / 2 if scaled.min() == 0 else 0.0
        scales.append((LOG, np.log(scaled + shift), lambda ahead: np.exp(np.minimum(ahead, 50.0)) - shift))

    def add(name: str, forecast: FloatArray, form: str) -> None:
        if scaled.min() >= 0:
            forecast = np.maximum(forecast, 0.0)
        reach = MAX_RANGES * float(np.ptp(y))
        if np.all(np.isfinite(forecast)) and forecast.max() <= y.max() + reach and forecast.min() >= y.min() - reach:
            found.forecasts[name], found.forms[name] = forecast, form

    # Where there are logarithms, smoothing and Theta are of them alone: with those of the values as well the blend was
    # worse on 357 monthly series of the M3 competition (MAPE 21.8; 20.8 without) and on the training part of the
    # tourism set (MASE 1.745; 1.734), and took longer.
    for prefix, values, back in scales:
        for method, (ahead, form, orders) in _of_one_scale(
            values, period, horizon, (starts or {}).get(prefix + ARIMA), is_final, regressors,
            is_arima_alone=len(scales) > 1 and not prefix,
        ).items():  # fmt: skip
            name = prefix + method
            if orders is not None:
                found.orders[name] = orders
            add(name, back(ahead) * unit, form + (" of logarithms" if prefix else ""))
    if period > 1 and scaled.min() >= 0:
        for name, rule, form in (
            (TOTALS, forecast_totals, "Theta of logarithms of the totals of seasons, usual profile"),
            (PROFILE, forecast_profile, "last season's total, usual profile"),
        ):
            if (by_season := rule(scaled, period, horizon)) is not None:
                add(name, by_season * unit, form)
    return found


_Found = tuple[FloatArray, str, Orders | None]


def _of_one_scale(
    y: FloatArray,
    period: int,
    horizon: int,
    start: Orders | None,
    is_final: bool,
    regressors: FloatArray | None,
    is_arima_alone: bool,
) -> dict[str, _Found]:
    n = len(y)
    is_plain = period <= MAX_PERIOD and n >= MIN_SEASONS * period
    own_period = period if is_plain else 1
    x = np.zeros((n + horizon, 0))
    waves = np.zeros(n + horizon)
    if not is_plain and (count := choose_harmonics(y, period)):
        sines = harmonics(0, n + horizon, period, count)
        x = sines
        line = np.maximum(np.arange(n)[:, None] - np.arange(0, n, period), 0.0) / n
        design = np.column_stack([np.ones(n), line, sines[:n]])
        waves = sines @ np.linalg.lstsq(design, y, rcond=None)[0][-2 * count :]
    out: dict[str, _Found] = {}
    fit = arima.search(y, own_period, x[:n], start, is_kept=not is_final)
    if fit is not None:
        with_calendar = _fit_with(y, fit, x, regressors, horizon)
        fit, x = (fit, x) if with_calendar is None else with_calendar
        fit = arima.fit_exactly(y, fit, x[:n]) if is_final else fit
        ahead = arima.forecast(y, fit, horizon, x[:n], x[n:])
        form = f"{fit.orders}, {fit.method}" + ("" if with_calendar is None else ", with calendar")
        out[ARIMA] = (ahead, form, fit.orders)
    if is_arima_alone:
        return out
    rest = y - waves[:n]
    smoothed, form = forecast_smoothing(rest, own_period, horizon)
    out[SMOOTHING] = (smoothed + waves[n:], form, None)
    out[THETA] = (forecast_theta(rest, own_period, horizon) + waves[n:], "Theta", None)
    return out


def _fit_with(
    y: FloatArray, fit: ArimaFit, x: FloatArray, regressors: FloatArray | None, horizon: int
) -> tuple[ArimaFit, FloatArray] | None:
    """Fit the same orders with further regressors, those that vary; None where AICc is not better by 2."""
    n = len(y)
    if regressors is None:
        return None
    more = regressors[-(n + horizon) :]
    more = more[:, np.ptp(more[:n], axis=0) > 0]
    if not more.shape[1]:
        return None
    both = np.hstack([x, more - more[:n].mean(axis=0)])
    found = arima.fit_conditional(y, fit.orders, both[:n], fit.aicc - 2)
    return None if found is None or found.aicc > fit.aicc - 2 else (found, both)
