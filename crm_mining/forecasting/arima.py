"""Seasonal ARIMA with automatic orders: stepwise search on conditional sums of squares, then one exact fit.

The search is that of Hyndman & Khandakar (2008, *Automatic time series forecasting: the forecast package for R*,
Journal of Statistical Software 27(3)): the seasonal difference by the strength of the seasonality (Wang, Smith &
Hyndman 2006, *Characteristic-based clustering for time series data*), ordinary differences by repeated KPSS tests
(Kwiatkowski et al. 1992), then from a few models to ever better neighbours by AICc. A model is estimated there by its
conditional sum of squares (Box & Jenkins 1970), with zeros before the first observation, so that the sums of models of
different order are of the same number of errors. Gauss-Newton needs four filters for the whole Jacobian, whatever the
orders, so that a model costs about a millisecond. The winner alone is fitted by exact maximum likelihood, by
statsmodels.
"""

import warnings
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
from scipy.signal import lfilter

from crm_mining.common.arrays import FloatArray

#: Largest orders that the search goes to, those of Hyndman & Khandakar.
MAX_ORDER, MAX_SEASONAL_ORDER = 5, 2
#: Seasonality from this strength on asks for a seasonal difference (``forecast`` for R: nsdiffs).
SEASONAL_STRENGTH = 0.64
#: KPSS statistic above which a level is not stationary, at 5 %.
KPSS_CRITICAL = 0.463
#: Partial autocorrelations are kept below this, so that roots stay clear of the unit circle.
_MAX_PARTIAL = 0.99
_MAX_STEPS = 25
#: A step that lessens the sum of squares by less than this share is the last one: AICc would not move by .01.
_LEAST_GAIN = 1e-5
#: So many times what its next step promises is all that a fit is trusted to gain yet. On 22 tourism series this halved
#: the time of a search and cost .04 of AICc on average; a fit that creeps on for long may be left too early.
_MOST_GAIN = 10.0
EXACT, CONDITIONAL = "exact", "conditional"


@dataclass(frozen=True)
class Orders:
    """Orders of a seasonal ARIMA; equal ones are one model."""

    p: int
    d: int
    q: int
    seasonal_p: int = 0
    seasonal_d: int = 0
    seasonal_q: int = 0
    period: int = 1
    has_constant: bool = False

    def __str__(self) -> str:
        """Write it as it is spoken: ``ARIMA(2,1,1)(0,1,1)[12] with drift``."""
        text = f"ARIMA({self.p},{self.d},{self.q})"
        if self.period > 1:
            text += f"({self.seasonal_p},{self.seasonal_d},{self.seasonal_q})[{self.period}]"
        constant = " with mean" if self.d + self.seasonal_d == 0 else " with drift"
        return text + (constant if self.has_constant else "")


@dataclass(frozen=True)
class ArimaFit:
    """A fitted model.

    Parameters
    ----------
    orders : Orders
        Of the model.
    ar, ma, seasonal_ar, seasonal_ma : array
        Coefficients, signs as in statsmodels: ``ar`` of lagged values, ``ma`` of lagged errors, both added.
    beta : array
        Coefficients of the regressors, then the constant (per step, of the differenced series), where there is one.
    sigma2 : float
        Variance of the errors.
    aicc : float
        By the conditional sum of squares; comparable between models of equal differences.
    method : str
        ``exact`` or ``conditional``.
    """

    orders: Orders
    ar: FloatArray
    ma: FloatArray
    seasonal_ar: FloatArray
    seasonal_ma: FloatArray
    beta: FloatArray
    sigma2: float
    aicc: float
    method: str = CONDITIONAL


# ---------------------------------------------------------------------------------------------------------- differences


def seasonal_strength(y: FloatArray, period: int) -> float:
    """Measure the strength of the seasonality, 0 to 1 (Wang, Smith & Hyndman 2006); 0 below two seasons."""
    if period < 2 or len(y) < 2 * period + 1:
        return 0.0
    from statsmodels.tsa.seasonal import STL

    parts = STL(y, period=period, seasonal=11).fit()
    spread = float(np.var(parts.resid + parts.seasonal))
    return 0.0 if spread <= 1e-12 * max(float(np.var(y)), 1e-300) else max(0.0, 1 - float(np.var(parts.resid)) / spread)


def kpss(y: FloatArray) -> float:
    """Compute the KPSS statistic of a level, Bartlett window of 3 √n / 13 lags; 0 for a constant."""
    n = len(y)
    centred = y - y.mean()
    total = float(centred @ centred)
    if n < 4 or total <= 1e-12 * max(float(y @ y), 1e-300):
        return 0.0
    n_lags = int(3 * np.sqrt(n) / 13)
    variance = total / n
    for lag in range(1, n_lags + 1):
        variance += 2 / n * (1 - lag / (n_lags + 1)) * float(centred[lag:] @ centred[:-lag])
    walk = np.cumsum(centred)
    return float(walk @ walk) / n**2 / variance if variance > 0 else 0.0


def choose_differences(y: FloatArray, period: int) -> tuple[int, int]:
    """Choose ordinary (0 to 2) and seasonal (0 or 1) differences.

    Parameters
    ----------
    y : array of shape (n,)
        The series.
    period : int
        Observations in a season; 1 for none.

    Returns
    -------
    tuple of int
        ``(d, seasonal_d)``.
    """
    seasonal_d = int(seasonal_strength(y, period) > SEASONAL_STRENGTH and len(y) >= 2 * period + 5)
    rest = y[period:] - y[:-period] if seasonal_d else y
    d = 0
    while d < 2 - seasonal_d and len(rest) > 8 and kpss(rest) > KPSS_CRITICAL:
        rest, d = np.diff(rest), d + 1
    return d, seasonal_d


def difference(values: FloatArray, orders: Orders) -> FloatArray:
    """Take the model's differences of each column."""
    for _ in range(orders.seasonal_d):
        values = values[orders.period :] - values[: -orders.period]
    for _ in range(orders.d):
        values = np.diff(values, axis=0)
    return values


# ------------------------------------------------------------------------------------------------------ conditional fit


def _lag_polynomial(coefficients: FloatArray, step: int) -> FloatArray:
    """Write out 1 + c₁ B^step + c₂ B^(2 step) and so on, as an array."""
    polynomial = np.zeros(1 + step * len(coefficients))
    polynomial[0] = 1.0
    if len(coefficients):
        polynomial[step::step] = coefficients
    return polynomial


def _is_stable(coefficients: FloatArray) -> bool:
    """Tell whether ``1 - c₁ B - c₂ B² …`` has all roots clear of the unit circle, by its partial autocorrelations."""
    c = [float(value) for value in coefficients]
    while c:
        last = c.pop()
        if not abs(last) < _MAX_PARTIAL:
            return False
        scale = 1 - last * last
        c = [(own + last * other) / scale for own, other in zip(c, reversed(c), strict=True)]
    return True


class _Conditional:
    """The conditional sum of squares of one model, its errors and their Jacobian."""

    def __init__(self, w: FloatArray, x: FloatArray, orders: Orders) -> None:
        self.w, self.x, self.orders = w, x, orders
        sizes = (x.shape[1], orders.p, orders.q, orders.seasonal_p, orders.seasonal_q)
        self.ends = np.cumsum(sizes)
        self.size = int(self.ends[-1])

    def split(self, at: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray, FloatArray]:
        k, p, q, seasonal_p, _ = self.ends
        return at[:k], at[k:p], at[p:q], at[q:seasonal_p], at[seasonal_p:]

    def is_allowed(self, at: FloatArray) -> bool:
        _, ar, ma, seasonal_ar, seasonal_ma = self.split(at)
        return all(_is_stable(part) for part in (ar, -ma, seasonal_ar, -seasonal_ma))

    def errors(self, at: FloatArray) -> FloatArray:
        beta, ar, ma, seasonal_ar, seasonal_ma = self.split(at)
        s = self.orders.period
        numerator = np.convolve(_lag_polynomial(-ar, 1), _lag_polynomial(-seasonal_ar, s))
        denominator = np.convolve(_lag_polynomial(ma, 1), _lag_polynomial(seasonal_ma, s))
        rest = self.w - self.x @ beta if len(beta) else self.w
        return np.asarray(lfilter(numerator, denominator, rest))

    def jacobian(self, at: FloatArray, errors: FloatArray) -> FloatArray:
        beta, ar, ma, seasonal_ar, seasonal_ma = self.split(at)
        s, n = self.orders.period, len(errors)
        plain, seasonal = _lag_polynomial(-ar, 1), _lag_polynomial(-seasonal_ar, s)
        plain_ma, seasonal_of_ma = _lag_polynomial(ma, 1), _lag_polynomial(seasonal_ma, s)
        rest = self.w - self.x @ beta if len(beta) else self.w
        # All slopes are of one filter, so one pass makes them all.
        both = np.convolve(plain, seasonal)
        series = [(column, both) for column in (self.x.T if len(beta) else ())]
        series += [(rest, seasonal), (errors, seasonal_of_ma), (rest, plain), (errors, plain_ma)]
        before = np.array([np.convolve(values, polynomial)[:n] for values, polynomial in series])
        after = -lfilter([1.0], np.convolve(plain_ma, seasonal_of_ma), before, axis=1)
        out = np.zeros((self.size, n))
        out[: len(beta)] = after[: len(beta)]
        row = len(beta)
        parts = ((ar, 1), (ma, 1), (seasonal_ar, s), (seasonal_ma, s))
        for slopes, (coefficients, step) in zip(after[row:], parts, strict=True):
            for lag in range(step, step * len(coefficients) + 1, step):
                out[row, lag:] = slopes[: max(n - lag, 0)]
                row += 1
        return out.T


def fit_conditional(
    y: FloatArray, orders: Orders, x: FloatArray | None = None, to_beat: float = np.inf
) -> ArimaFit | None:
    """Fit by the conditional sum of squares.

    Parameters
    ----------
    y : array of shape (n,)
        The series.
    orders : Orders
        Of the model.
    x : array of shape (n, k), optional
        Regressors.
    to_beat : float
        An AICc: a fit that will clearly not come below it is left unfinished.

    Returns
    -------
    ArimaFit or None
        None where there are too few observations for the parameters, or nothing is left to explain.
    """
    w = difference(y, orders)
    design = difference(x, orders) if x is not None else np.zeros((len(w), 0))
    if orders.has_constant:
        design = np.column_stack([design, np.ones(len(w))])
    problem = _Conditional(w, design, orders)
    n, n_parameters = len(w), problem.size + 1
    if n < n_parameters + 3:
        return None
    at = np.zeros(problem.size)
    if design.shape[1]:
        at[: design.shape[1]] = np.linalg.lstsq(design, w, rcond=None)[0]
    for part, start in zip(range(1, 5), (0.1, 0.1, 0.1, -0.1), strict=True):
        at[problem.ends[part - 1] : problem.ends[part]] = start / np.arange(
            1, problem.ends[part] - problem.ends[part - 1] + 1
        )
    errors = problem.errors(at)
    sum_of_squares = float(errors @ errors)
    damping = 1e-3
    penalty = 2 * n_parameters * n / max(n - n_parameters - 1, 1)
    enough = n * np.exp(min((to_beat - penalty) / n - 1, 500.0)) / (2 * np.pi)
    for _ in range(_MAX_STEPS if problem.size else 0):
        jacobian = problem.jacobian(at, errors)
        slope = jacobian.T @ errors
        curvature = jacobian.T @ jacobian
        scale = np.diag(curvature) + 1e-12 * max(float(np.trace(curvature)), 1e-300)
        moved = False
        for _ in range(8):
            try:
                step = np.linalg.solve(curvature + damping * np.diag(scale), slope)
            except np.linalg.LinAlgError:
                step = np.full(problem.size, np.nan)
            # What the step promises: half of the gain of the last ones, a multiple of that of all to come.
            promise = float(slope @ step)
            if promise < _LEAST_GAIN * sum_of_squares or sum_of_squares - _MOST_GAIN * promise > enough:
                break
            trial = at - step
            if np.all(np.isfinite(trial)) and problem.is_allowed(trial):
                tried = problem.errors(trial)
                found = float(tried @ tried)
                if np.isfinite(found) and found < sum_of_squares:
                    moved = True
                    break
            damping = max(damping * 5, 1e-3)
        if not moved:
            break
        gain = sum_of_squares - found
        at, errors, sum_of_squares = trial, tried, found
        damping = max(damping / 10, 1e-9)
        if gain < _LEAST_GAIN * sum_of_squares:
            break
    sigma2 = sum_of_squares / n
    if not np.isfinite(sigma2) or sigma2 <= 1e-12 * max(float(np.var(y)), 1e-300):
        return None
    aicc = n * (np.log(2 * np.pi * sigma2) + 1) + penalty
    beta, ar, ma, seasonal_ar, seasonal_ma = problem.split(at)
    return ArimaFit(orders, ar, ma, seasonal_ar, seasonal_ma, beta, sigma2, float(aicc))


# --------------------------------------------------------------------------------------------------------------- search


def search(
    y: FloatArray, period: int, x: FloatArray | None = None, start: Orders | None = None, *, is_kept: bool = False
) -> ArimaFit | None:
    """Search for the orders with the least AICc, stepwise.

    Parameters
    ----------
    y : array of shape (n,)
        The series.
    period : int
        Observations in a season; 1 for none.
    x : array of shape (n, k), optional
        Regressors.
    start : Orders, optional
        Orders that held for this series before: where the differences are still the same, the search begins there
        instead of at the usual four models.
    is_kept : bool
        Where it begins there, it also ends there: their neighbours are not tried.

    Returns
    -------
    ArimaFit or None
        The best, conditionally fitted; None where no model could be fitted.
    """
    d, seasonal_d = choose_differences(y, period)
    seasonal = period > 1 and len(y) >= 2 * period + 5
    may_have_constant = d + seasonal_d <= 1
    # A lag is in the season's part or in the other one, not in both.
    largest = min(MAX_ORDER, period - 1) if seasonal else MAX_ORDER
    tried: dict[Orders, ArimaFit | None] = {}
    best: ArimaFit | None = None

    def fit(p: int, q: int, seasonal_p: int, seasonal_q: int, has_constant: bool) -> ArimaFit | None:
        orders = Orders(p, d, q, seasonal_p, seasonal_d, seasonal_q, period if seasonal else 1, has_constant)
        if orders not in tried:
            tried[orders] = fit_conditional(y, orders, x, np.inf if best is None else best.aicc)
        return tried[orders]

    holds = start is not None and (start.d, start.seasonal_d) == (d, seasonal_d) and (start.period > 1) == seasonal
    if start is not None and holds:
        starts = [(start.p, start.q, start.seasonal_p, start.seasonal_q, start.has_constant and may_have_constant)]
    else:
        both = int(seasonal)
        few = len(y) < 4 * period + 10
        starts = [(2, 2, both, both, may_have_constant)] if not few and largest >= 2 else []
        starts += [(0, 0, 0, 0, may_have_constant), (1, 0, both, 0, may_have_constant)]
        starts += [(0, 1, 0, both, may_have_constant)]
        starts += [(0, 0, 0, 0, False)] if may_have_constant else []
    fits = [found for found in (fit(*one[:4], bool(one[4])) for one in starts) if found is not None]
    if not fits:
        return None
    best = min(fits, key=lambda found: found.aicc)
    if is_kept and holds:
        return best
    moves = [(dp, dq, 0, 0) for dp, dq in product((-1, 0, 1), repeat=2) if (dp, dq) != (0, 0)]
    moves += [(0, 0, dp, dq) for dp, dq in product((-1, 0, 1), repeat=2) if (dp, dq) != (0, 0)] if seasonal else []
    improved = True
    while improved and len(tried) < 94:
        improved = False
        at = best.orders
        here = (at.p, at.q, at.seasonal_p, at.seasonal_q)
        neighbours = [(*(a + b for a, b in zip(here, move, strict=True)), at.has_constant) for move in moves]
        neighbours += [(*here, not at.has_constant)] if may_have_constant else []
        for p, q, seasonal_p, seasonal_q, has_constant in neighbours:
            if max(p, q) > largest or max(seasonal_p, seasonal_q) > MAX_SEASONAL_ORDER:
                continue
            if min(p, q, seasonal_p, seasonal_q) < 0:
                continue
            found = fit(p, q, seasonal_p, seasonal_q, bool(has_constant))
            if found is not None and found.aicc < best.aicc - 1e-9:
                best, improved = found, True
                break
    return best


def fit_exactly(y: FloatArray, found: ArimaFit, x: FloatArray | None = None) -> ArimaFit:
    """Fit a model by exact maximum likelihood with statsmodels, from its conditional fit.

    Returns
    -------
    ArimaFit
        ``method`` stays ``conditional`` where the exact likelihood has no maximum that can be used.
    """
    from statsmodels.tsa.statespace.sarimax import SARIMAX

    orders = found.orders
    w = difference(y, orders)
    design = difference(x, orders) if x is not None else np.zeros((len(w), 0))
    scale = float(np.sqrt(found.sigma2))
    if orders.has_constant:
        design = np.column_stack([design, np.ones(len(w))])
    k = design.shape[1]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = SARIMAX(
            w / scale,
            exog=design if k else None,
            order=(orders.p, 0, orders.q),
            seasonal_order=(orders.seasonal_p, 0, orders.seasonal_q, orders.period if orders.period > 1 else 0),
            concentrate_scale=True,
        )
        start = np.concatenate([found.beta / scale, found.ar, found.ma, found.seasonal_ar, found.seasonal_ma])
        if not len(start):
            return replace(found, method=EXACT)
        try:
            # The conditional fit is near the maximum: a few steps are enough.
            fitted = model.fit(start, disp=False, maxiter=10, method="lbfgs", cov_type="none")
        except (np.linalg.LinAlgError, ValueError, IndexError):
            return found
    at = np.asarray(fitted.params, dtype="float64")
    sigma2 = float(fitted.scale) * scale**2
    if not (np.all(np.isfinite(at)) and np.isfinite(sigma2) and sigma2 > 0):
        return found
    beta, ar, ma, seasonal_ar, seasonal_ma = _Conditional(w, design, orders).split(at)
    return replace(
        found, beta=beta * scale, ar=ar, ma=ma, seasonal_ar=seasonal_ar, seasonal_ma=seasonal_ma, sigma2=sigma2,
        method=EXACT,
    )  # fmt: skip


# ------------------------------------------------------------------------------------------------------------- forecast


def forecast(
    y: FloatArray, fit: ArimaFit, horizon: int, x: FloatArray | None = None, x_next: FloatArray | None = None
) -> FloatArray:
    """Forecast the next values.

    Parameters
    ----------
    y : array of shape (n,)
        The series.
    fit : ArimaFit
        Of it.
    horizon : int
        How many values.
    x, x_next : array of shape (n, k) and (horizon, k), optional
        Regressors, as fitted, and their future values.

    Returns
    -------
    array of shape (horizon,)
    """
    orders = fit.orders
    s = orders.period
    w = difference(y, orders)
    k = 0 if x is None else x.shape[1]
    constant = float(fit.beta[k]) if orders.has_constant else 0.0
    known = w - constant
    ahead = np.full(horizon, constant)
    if x is not None and x_next is not None and k:
        both = difference(np.vstack([x, x_next]), orders) @ fit.beta[:k]
        known = known - both[: len(w)]
        ahead = ahead + both[len(w) :]
    ar = np.convolve(_lag_polynomial(-fit.ar, 1), _lag_polynomial(-fit.seasonal_ar, s))
    ma = np.convolve(_lag_polynomial(fit.ma, 1), _lag_polynomial(fit.seasonal_ma, s))
    errors = lfilter(ar, ma, known)
    values = np.concatenate([known, np.zeros(horizon)])
    shocks = np.concatenate([errors, np.zeros(horizon)])
    pad = max(len(ar), len(ma))
    values, shocks = np.concatenate([np.zeros(pad), values]), np.concatenate([np.zeros(pad), shocks])
    first = pad + len(known)
    for t in range(first, first + horizon):
        values[t] = -ar[1:] @ values[t - 1 : t - len(ar) : -1] if len(ar) > 1 else 0.0
        if len(ma) > 1:
            values[t] += ma[1:] @ shocks[t - 1 : t - len(ma) : -1]
    return _integrate(y, values[first:] + ahead, orders)


def _integrate(y: FloatArray, ahead: FloatArray, orders: Orders) -> FloatArray:
    """Undo the differences."""
    seasonal = y
    for _ in range(orders.seasonal_d):
        seasonal = seasonal[orders.period :] - seasonal[: -orders.period]
    stages = [seasonal]
    for _ in range(orders.d):
        stages.append(np.diff(stages[-1]))
    for stage in reversed(stages[:-1] if orders.d else []):
        ahead = stage[-1] + np.cumsum(ahead)
    if orders.seasonal_d:
        s = orders.period
        past = np.concatenate([y[-s:], np.zeros(len(ahead))])
        for i, value in enumerate(ahead):
            past[s + i] = past[i] + value
        ahead = past[s:]
    return np.asarray(ahead)
