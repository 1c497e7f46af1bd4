"""What a customer will buy and is worth: how often by BG/NBD or MBG/NBD, for how much by Gamma-Gamma.

A customer buys at a rate of their own (Gamma-distributed among customers) and may leave after each purchase with a
probability of their own (Beta-distributed). In the BG/NBD (Fader, Hardie & Lee 2005, *Counting your customers the easy
way*, Marketing Science 24) nobody leaves before the first repeat purchase, so that whoever bought once is alive for
ever; in the MBG/NBD (Batislam, Denizel & Filiztekin 2007, *Empirical validation and comparison of models for customer
base analysis*, IJRM 24) the first purchase may be the last. The two differ in the number of chances to leave, ``x`` and
``x + 1``, and in nothing else; here they are one set of formulas. What is spent is independent of how often (Fader &
Hardie 2013, *The Gamma-Gamma model of monetary value*).

Done differently from the papers, for numbers that stay finite whatever the customer:

- Expected orders are an integral over the probability of leaving, of positive terms, instead of a hypergeometric
  function that cancels and has a pole where ``a`` is 1.
- Intervals are predictive: what 95 of 100 such customers will do, not how well a mean is known. They depend on a
  customer through ``x``, the ratio of horizon to ``alpha + T``, p_alive and the scale of spending only, so a few
  thousand simulations serve any number of customers; and on nobody else, so one customer more changes no other.

- p_alive of these models is too sure of itself where customers have busy and quiet times, which they don't know. How
  sure it may be is learned from who bought in the half year up to the as-of date (:func:`fit_alive_slope`).

Times are in one unit, whichever; the functions on tables speak of days. A fit leaves a table of terms, and scoring
reads nothing else.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import duckdb
import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
from scipy.optimize import minimize, minimize_scalar
from scipy.special import betaln, digamma, expit, gammaln, logit
from scipy.stats import rankdata

from crm_mining.common.arrays import BoolArray, FloatArray
from crm_mining.common.progress import Progress
from crm_mining.common.refits import check_refit
from crm_mining.common.seeds import SEED
from crm_mining.common.threads import one_thread

BG, MBG, SPEND = "bg_nbd", "mbg_nbd", "gamma_gamma"
#: Parameters of each model and the values that scoring accepts.
RANGES: dict[str, dict[str, tuple[float, float]]] = {
    BG: {"r": (1e-6, 1e9), "alpha": (1e-6, 1e9), "a": (1e-6, 1e9), "b": (1e-6, 1e9)},
    MBG: {"r": (1e-6, 1e9), "alpha": (1e-6, 1e9), "a": (1e-6, 1e9), "b": (1e-6, 1e9)},
    SPEND: {"p": (1e-6, 1e9), "q": (1.001, 1e9), "gamma": (1e-6, 1e12)},
}
MAXIMUM_LIKELIHOOD, MOMENTS = "maximum_likelihood", "moments"
CONVERGED, AT_BOUND, NOT_CONVERGED, TOO_FEW = "converged", "at_bound", "not_converged", "too_few"
#: Below these a fit is not tried: four (three) parameters need more than a handful of customers to stand on.
MIN_CUSTOMERS, MIN_REPEAT_CUSTOMERS = 50, 20
#: The fall-back takes these for granted: one in five leaves after a purchase, and what a customer spends counts against
#: the average as if that had been seen in two purchases.
PRIOR_A, PRIOR_B, PRIOR_P, PRIOR_Q = 1.0, 4.0, 2.0, 5.0
#: A fit searches within this factor of 1, times and amounts measured by their means.
_REACH = 1e4
_STARTS = ((0.5, 1.0, 0.5, 2.0), (1.0, 1.0, 1.0, 1.0), (0.2, 0.1, 2.0, 10.0), (5.0, 5.0, 0.1, 0.5))
_SPEND_STARTS = ((2.0, 3.0, 1.0), (6.0, 4.0, 0.5), (1.0, 10.0, 5.0), (20.0, 2.0, 0.1))
_Z95 = 1.959963984540054
_N_NODES = 129
_N_DRAWS = 4000
_CELLS_PER_DOUBLING = 4

#: How sure p_alive may be is learned from who bought in so many days up to the as-of date; int_customer_purchases says
#: how the customers stood before them. On five worlds of crm_mining.synth 90 days do as well, but vary more.
CALIBRATION_DAYS = 180
ALIVE_SLOPE = "alive_slope"
_SLOPES = (0.1, 3.0)

PURCHASE_COLUMNS = ("n_repeat_orders", "recency_days", "age_days")
BEFORE_COLUMNS = ("n_repeat_orders_before", "recency_days_before")
TERM_COLUMNS = {
    "model": "str", "term": "str", "value": "float64", "interval_low": "float64", "interval_high": "float64",
    "method": "str", "status": "str",
}  # fmt: skip
TERM_SCHEMA = pa.schema(
    [("as_of_date", pa.date32())]
    + [(name, pa.string() if kind == "str" else pa.float64()) for name, kind in TERM_COLUMNS.items()]
)
#: Of a column: itself and the ends of its interval.
ENDS = ("", "_low", "_high")


@dataclass(frozen=True)
class Fit:
    """One fitted model.

    Parameters
    ----------
    model : str
        ``bg_nbd``, ``mbg_nbd`` or ``gamma_gamma``.
    parameters : dict
        Name to value, in the order of :data:`RANGES`.
    intervals : dict
        Name to the ends of its 95 % interval (Wald, on the logarithm); NaN where the likelihood is flat or the
        fall-back was used.
    log_likelihood : float
        Of all customers at these parameters; NaN without customers.
    n_customers : int
        Customers fitted to.
    method : str
        ``maximum_likelihood`` or, the fall-back, ``moments``.
    status : str
        ``converged``; ``at_bound`` (a parameter ran to the end of the search, as ``a`` and ``b`` do when everybody
        leaves with the same probability: usable); ``not_converged`` or ``too_few``: the fall-back was used.
    """

    model: str
    parameters: dict[str, float]
    intervals: dict[str, tuple[float, float]]
    log_likelihood: float
    n_customers: int
    method: str
    status: str


# ---------------------------------------------------------------------------------------------------------------- fit


def fit_purchases(
    x: npt.ArrayLike, t_x: npt.ArrayLike, age: npt.ArrayLike, n: npt.ArrayLike | None = None, *, model: str = BG
) -> Fit:
    """Fit BG/NBD or MBG/NBD by maximum likelihood, from several starts.

    Parameters
    ----------
    x : array of shape (n_rows,)
        Repeat purchases, 0 for who bought once.
    t_x : array of shape (n_rows,)
        Time from first to last purchase; not looked at where ``x`` is 0.
    age : array of shape (n_rows,)
        Time from first purchase to the end of observation, ``T`` in the papers.
    n : array of shape (n_rows,), optional
        Customers that each row stands for; one by default.
    model : str
        ``bg_nbd`` or ``mbg_nbd``.

    Returns
    -------
    Fit
        With ``r, alpha, a, b``; alpha is in the unit of the times. With fewer than :data:`MIN_CUSTOMERS` customers or
        :data:`MIN_REPEAT_CUSTOMERS` repeat customers, or when no start converges, the fall-back: a Gamma distribution
        of rates by the method of moments, and the probability of leaving as :data:`PRIOR_A` and :data:`PRIOR_B` say.

    Raises
    ------
    ValueError
        When the model is unknown or a value is outside its range; the message names both.
    """
    if model not in (BG, MBG):
        raise ValueError(f"model is {model!r}; allowed: {BG}, {MBG}")
    n_orders, recency, ages = _checked(x, t_x, age)
    counts = _weights(n, n_orders)
    kept = counts > 0
    n_orders, recency, ages, counts = n_orders[kept], recency[kept], ages[kept], counts[kept]
    n_customers, n_repeat = float(counts.sum()), float(counts[n_orders > 0].sum())
    total_age = float(counts @ ages)
    status = TOO_FEW
    if n_customers >= MIN_CUSTOMERS and n_repeat >= MIN_REPEAT_CUSTOMERS and total_age > 0:
        scale = total_age / n_customers
        likelihood = _purchase_likelihood(n_orders, recency / scale, ages / scale, counts, model)
        fit = _maximise(likelihood, _STARTS, [(1 / _REACH, _REACH)] * 4, n_customers)
        status = fit.status
        if status != NOT_CONVERGED:
            unit = np.array([1.0, scale, 1.0, 1.0])
            log_likelihood = fit.log_likelihood - float(counts @ n_orders) * float(np.log(scale))
            return _as_fit(model, fit, unit, log_likelihood, n_customers)
    parameters = _moments_of_rates(n_orders, ages, counts)
    value = _at(_purchase_likelihood(n_orders, recency, ages, counts, model), parameters) if len(n_orders) else np.nan
    unknown = dict.fromkeys(parameters, (np.nan, np.nan))
    return Fit(model, parameters, unknown, value, int(n_customers), MOMENTS, status)


def fit_spend(x: npt.ArrayLike, mean_amount: npt.ArrayLike, n: npt.ArrayLike | None = None) -> Fit:
    """Fit Gamma-Gamma by maximum likelihood, from several starts.

    Parameters
    ----------
    x : array of shape (n_rows,)
        Repeat purchases.
    mean_amount : array of shape (n_rows,)
        Their mean amount. Rows without repeat purchases or without an amount above 0 are left out: the model knows
        positive amounts only.
    n : array of shape (n_rows,), optional
        Customers that each row stands for; one by default.

    Returns
    -------
    Fit
        With ``p, q, gamma``; gamma is in the unit of the amounts. With fewer than :data:`MIN_REPEAT_CUSTOMERS`
        customers, when no start converges, or when ``q`` comes to 1 (the mean would be infinite), the fall-back: the
        mean of all repeat purchases, with ``p`` and ``q`` as :data:`PRIOR_P` and :data:`PRIOR_Q` say.

    Raises
    ------
    ValueError
        When a value is outside its range; the message names both.
    """
    n_orders = _finite("x", x, 0.0)
    amount = np.asarray(mean_amount, dtype="float64")
    counts = _weights(n, n_orders)
    kept = (counts > 0) & (n_orders > 0) & np.isfinite(amount) & (amount > 0)
    n_orders, amount, counts = n_orders[kept], amount[kept], counts[kept]
    n_customers = float(counts.sum())
    scale = float((counts * n_orders) @ amount / (counts @ n_orders)) if len(n_orders) else 1.0
    status = TOO_FEW
    if n_customers >= MIN_REPEAT_CUSTOMERS:
        likelihood = _spend_likelihood(n_orders, amount / scale, counts)
        low_q = RANGES[SPEND]["q"][0]
        fit = _maximise(
            likelihood, _SPEND_STARTS, [(1 / _REACH, _REACH), (low_q, _REACH), (1 / _REACH, _REACH)], n_customers
        )
        status = fit.status if fit.parameters[1] > 1.001 * low_q else NOT_CONVERGED
        if status != NOT_CONVERGED:
            log_likelihood = fit.log_likelihood - n_customers * float(np.log(scale))
            return _as_fit(SPEND, fit, np.array([1.0, 1.0, scale]), log_likelihood, n_customers)
    parameters = {"p": PRIOR_P, "q": PRIOR_Q, "gamma": scale * (PRIOR_Q - 1) / PRIOR_P}
    value = _at(_spend_likelihood(n_orders, amount, counts), parameters) if len(n_orders) else np.nan
    unknown = dict.fromkeys(parameters, (np.nan, np.nan))
    return Fit(SPEND, parameters, unknown, value, int(n_customers), MOMENTS, status)


def fit_alive_slope(
    x: npt.ArrayLike,
    t_x: npt.ArrayLike,
    age: npt.ArrayLike,
    has_bought: npt.ArrayLike,
    horizon: float,
    n: npt.ArrayLike | None = None,
    *,
    model: str = BG,
) -> tuple[float, float, float, str]:
    """Learn how sure p_alive may be of itself, from who bought in the time that followed.

    A customer who is alive with probability ``p`` buys in that time with probability ``p * q``, where ``q`` is what the
    fitted rates say of the living: ``1 - ((alpha + age) / (alpha + age + horizon)) ** (r + x)``. Calibrated log-odds
    are ``slope * logit(p)``, the slope by maximum likelihood. There is no intercept: the living who don't buy for long
    look like those who left, so purchases tell who is likelier alive, but not how many are. Nobody need know who left.

    Parameters
    ----------
    x, t_x, age, n, model
        As in :func:`fit_purchases`, when the time that follows began.
    has_bought : array of shape (n_rows,)
        1 where the customer bought in it, else 0.
    horizon : float
        Its length, above 0, in the unit of the times.

    Returns
    -------
    slope, low, high, status : tuple
        The slope with its 95 % interval (Wald), and the status as in :class:`Fit`. 1 and NaN where the model needs the
        fall-back.

    Raises
    ------
    ValueError
        When a value is outside its range; the message names both.
    """
    _check_horizon(horizon)
    fit = fit_purchases(x, t_x, age, n, model=model)
    if fit.method == MOMENTS:
        return 1.0, np.nan, np.nan, fit.status
    n_orders, _, ages = _checked(x, t_x, age)
    counts, bought = _weights(n, n_orders), np.asarray(has_bought, dtype="float64")
    log_stay = np.log(fit.parameters["alpha"] + ages) - np.log(fit.parameters["alpha"] + ages + horizon)
    buying = -np.expm1((fit.parameters["r"] + n_orders) * log_stay)
    alive = p_alive(x, t_x, age, fit.parameters, model=model)
    # Under BG/NBD who bought once is alive by assumption, and tells nothing.
    told = (alive < 1) & (alive > 0) & (counts > 0)
    odds, buying, bought, counts = logit(alive[told]), buying[told], bought[told], counts[told]

    def loss(slope: float) -> float:
        p = np.clip(expit(slope * odds) * buying, 1e-300, 1 - 1e-12)
        return -float((counts * (bought * np.log(p) + (1 - bought) * np.log1p(-p))).sum())

    slope = float(minimize_scalar(loss, bounds=_SLOPES, method="bounded", options={"xatol": 1e-8}).x)
    if not _SLOPES[0] + 1e-6 < slope < _SLOPES[1] - 1e-6:
        return slope, np.nan, np.nan, AT_BOUND
    step = 1e-3
    curvature = (loss(slope + step) - 2 * loss(slope) + loss(slope - step)) / step**2
    error = _Z95 / np.sqrt(curvature) if curvature > 0 else np.nan
    return slope, slope - error, slope + error, CONVERGED


_Likelihood = Callable[[FloatArray], tuple[float, FloatArray]]


@dataclass(frozen=True)
class _Maximum:
    parameters: FloatArray
    low: FloatArray
    high: FloatArray
    log_likelihood: float
    status: str


def _purchase_likelihood(x: FloatArray, t_x: FloatArray, age: FloatArray, n: FloatArray, model: str) -> _Likelihood:
    """Log-likelihood and its gradient in the logarithms of ``r, alpha, a, b`` (Fader, Hardie & Lee 2005, eq. 6).

    What hangs on ``x`` alone is computed once for each ``x``.
    """
    values, which = np.unique(x, return_inverse=True)
    n_values = np.bincount(which, weights=n)
    coins = values + (model == MBG)
    may_be_gone = coins > 0

    def evaluate(log_parameters: FloatArray) -> tuple[float, FloatArray]:
        r, alpha, a, b = np.exp(log_parameters)
        shape = r + values
        log_age, log_recency = np.log(alpha + age), np.log(alpha + t_x)
        with np.errstate(divide="ignore"):
            log_odds = np.where(may_be_gone, np.log(a) - np.log(np.where(may_be_gone, b + coins - 1, 1.0)), -np.inf)
        alive = -shape[which] * log_age
        gone = log_odds[which] - shape[which] * log_recency
        both = np.logaddexp(alive, gone)
        of_x = gammaln(shape) - gammaln(r) + r * np.log(alpha) + betaln(a, b + coins) - betaln(a, b)
        value = float(n_values @ of_x + n @ both)
        is_gone = np.exp(gone - both)
        n_gone = np.bincount(which, weights=n * is_gone, minlength=len(values))
        common = digamma(a + b) - digamma(a + b + coins)
        by_rate = n_values @ (digamma(shape) - digamma(r) + np.log(alpha))
        gradient = np.array(
            [
                by_rate - n @ (log_age + is_gone * (log_recency - log_age)),
                n.sum() * r / alpha - (n * shape[which]) @ ((1 - is_gone) / (alpha + age) + is_gone / (alpha + t_x)),
                n_values @ common + n_gone.sum() / a,
                n_values @ (digamma(b + coins) - digamma(b) + common)
                - (n_gone[may_be_gone] / (b + coins[may_be_gone] - 1)).sum(),
            ]
        )
        return value, gradient * np.exp(log_parameters)

    return evaluate


def _spend_likelihood(x: FloatArray, amount: FloatArray, n: FloatArray) -> _Likelihood:
    """Log-likelihood and its gradient in the logarithms of ``p, q, gamma`` (Fader & Hardie 2013, eq. 1a)."""
    values, which = np.unique(x, return_inverse=True)
    n_values = np.bincount(which, weights=n)
    n_customers, total = n.sum(), x * amount
    sum_log_amount = float(n @ np.log(amount))
    by_purchase = float((n * x) @ np.log(total))

    def evaluate(log_parameters: FloatArray) -> tuple[float, FloatArray]:
        p, q, gamma = np.exp(log_parameters)
        log_sum = np.log(gamma + total)
        shape = p * values + q
        of_x = gammaln(shape) - gammaln(p * values) - gammaln(q)
        value = n_values @ of_x + n_customers * q * np.log(gamma) + p * by_purchase - sum_log_amount
        value -= (n * shape[which]) @ log_sum
        gradient = np.array(
            [
                (n_values * values) @ (digamma(shape) - digamma(p * values)) + by_purchase - (n * x) @ log_sum,
                n_values @ digamma(shape) - n_customers * (digamma(q) - np.log(gamma)) - n @ log_sum,
                n_customers * q / gamma - (n * shape[which]) @ (1 / (gamma + total)),
            ]
        )
        return float(value), gradient * np.exp(log_parameters)

    return evaluate


def _maximise(
    likelihood: _Likelihood,
    starts: Sequence[Sequence[float]],
    bounds: Sequence[tuple[float, float]],
    n_customers: float,
) -> _Maximum:
    """Climb from each start; take the highest top and judge it."""

    def loss(log_parameters: FloatArray) -> tuple[float, FloatArray]:
        value, gradient = likelihood(log_parameters)
        return -value / n_customers, -gradient / n_customers

    log_bounds = [(float(np.log(low)), float(np.log(high))) for low, high in bounds]
    options = {"maxiter": 1000, "maxfun": 2000, "ftol": 1e-15, "gtol": 1e-9, "maxls": 50}
    tops = [minimize(loss, np.log(s), jac=True, method="L-BFGS-B", bounds=log_bounds, options=options) for s in starts]
    tops = [top for top in tops if np.isfinite(top.fun) and np.all(np.isfinite(top.x))]
    if not tops:
        nothing = np.full(len(bounds), np.nan)
        return _Maximum(nothing, nothing, nothing, np.nan, NOT_CONVERGED)
    # Tops as good as the best are one top; the earliest start that found it counts.
    best_value = min(top.fun for top in tops)
    best = next(top for top in tops if top.fun <= best_value + 1e-12)
    log_best = np.asarray(best.x, dtype="float64")
    low, high = np.array(log_bounds).T
    is_at_bound = (log_best <= low + 1e-6) | (log_best >= high - 1e-6)
    slope = np.where(is_at_bound, 0.0, loss(log_best)[1])
    # The line search may end on rounding errors (success is False) at the very top; the slope tells.
    status = NOT_CONVERGED if np.abs(slope).max() > 1e-4 else AT_BOUND if is_at_bound.any() else CONVERGED
    error = _standard_errors(loss, log_best, n_customers, ~is_at_bound)
    return _Maximum(
        np.exp(log_best),
        np.exp(log_best - _Z95 * error),
        np.exp(log_best + _Z95 * error),
        -float(best.fun) * n_customers,
        status,
    )


def _standard_errors(loss: _Likelihood, at: FloatArray, n_customers: float, is_free: BoolArray) -> FloatArray:
    """Find the standard errors of the log-parameters from the curvature of the likelihood; NaN where it isn't a top."""
    error = np.full(len(at), np.nan)
    free = np.flatnonzero(is_free)
    if len(free) == 0:
        return error
    step = 1e-4
    rows = []
    for i in free:
        move = np.zeros(len(at))
        move[i] = step
        rows.append((loss(at + move)[1] - loss(at - move)[1])[free] / (2 * step) * n_customers)
    curvature = np.array(rows)
    values, vectors = np.linalg.eigh((curvature + curvature.T) / 2)
    if values.min() > 1e-9 * max(values.max(), 1e-300):
        # An interval wider than e^40 either way says no more than NaN, and would overflow.
        found = np.sqrt((vectors**2 / values).sum(axis=1))
        error[free] = np.where(found < 20, found, np.nan)
    return error


def _at(likelihood: _Likelihood, parameters: Mapping[str, float]) -> float:
    return float(likelihood(np.log(list(parameters.values())))[0])


def _as_fit(model: str, top: _Maximum, unit: FloatArray, log_likelihood: float, n_customers: float) -> Fit:
    names = list(RANGES[model])
    low, value, high = top.low * unit, top.parameters * unit, top.high * unit
    ends = {name: (float(low[i]), float(high[i])) for i, name in enumerate(names)}
    values = {name: float(value[i]) for i, name in enumerate(names)}
    return Fit(model, values, ends, log_likelihood, int(n_customers), MAXIMUM_LIKELIHOOD, top.status)


def _moments_of_rates(x: FloatArray, age: FloatArray, n: FloatArray) -> dict[str, float]:
    """Gamma distribution of purchase rates whose mean and variance are those seen, half a purchase seen beforehand."""
    exposure = float(n @ age)
    unit = exposure / n.sum() if exposure > 0 else 365.0
    rate = (float(n @ x) + 0.5) / (exposure + unit)
    # Var(x) = rate T + rate² T² / r among customers of age T, so the excess over Poisson gives 1 / r.
    excess = float(n @ ((x - rate * age) ** 2 - rate * age))
    r = float(np.clip(rate**2 * float(n @ age**2) / excess, 0.1, 10.0)) if excess > 0 else 1.0
    # Who has left does not buy, so those who have not do more often: with one in five leaving, hardly so.
    return {"r": r, "alpha": float(np.clip(r / rate, *RANGES[BG]["alpha"])), "a": PRIOR_A, "b": PRIOR_B}


# -------------------------------------------------------------------------------------------------------------- score


def p_alive(
    x: npt.ArrayLike, t_x: npt.ArrayLike, age: npt.ArrayLike, parameters: Mapping[str, float], *, model: str = BG
) -> FloatArray:
    """Probability that a customer has not left (Fader, Hardie & Lee 2005; Batislam et al. 2007).

    Parameters
    ----------
    x, t_x, age : array of shape (n,)
        As in :func:`fit_purchases`.
    parameters : mapping
        ``r, alpha, a, b``, alpha in the unit of the times.
    model : str
        ``bg_nbd`` or ``mbg_nbd``.

    Returns
    -------
    array of shape (n,)
        Between 0 and 1. Under BG/NBD 1 for who bought once.

    Raises
    ------
    ValueError
        When a parameter or a value is outside its range; the message names both.

    Examples
    --------
    >>> fitted = {"r": 0.243, "alpha": 4.414, "a": 0.793, "b": 2.426}
    >>> p_alive([2, 0], [30.43, 0], [38.86, 38.86], fitted).round(3).tolist()
    [0.727, 1.0]
    """
    check_parameters(model, parameters)
    n_orders, recency, ages = _checked(x, t_x, age)
    coins = n_orders + (model == MBG)
    log_gap = np.log1p((ages - recency) / (parameters["alpha"] + recency))
    odds = (
        np.log(parameters["a"])
        - np.log(parameters["b"] + np.maximum(coins - 1, 0))
        + (parameters["r"] + n_orders) * log_gap
    )
    return np.asarray(np.where(coins > 0, expit(-odds), 1.0), dtype="float64")


def expected_orders(
    x: npt.ArrayLike,
    t_x: npt.ArrayLike,
    age: npt.ArrayLike,
    parameters: Mapping[str, float],
    horizon: float,
    *,
    model: str = BG,
) -> FloatArray:
    """Expect so many purchases in the time that follows.

    With probability ``p`` of leaving after each purchase and rate ``l``, who is alive buys ``(1 - exp(-l p t)) / p``
    times in ``t``. The mean over the Gamma distribution of ``l`` is closed; that over the Beta distribution of ``p`` is
    a sum over nodes, evenly spaced in ``asinh(logit p)``, exact to eight digits for all but extreme parameters.

    Parameters
    ----------
    x, t_x, age, parameters, model
        As in :func:`p_alive`.
    horizon : float
        Length of the time that follows, above 0, in the unit of the times.

    Returns
    -------
    array of shape (n,)
        Finite, between 0 and ``(r + x) / (alpha + age) * horizon``.

    Raises
    ------
    ValueError
        When a parameter or a value is outside its range; the message names both.
    """
    _check_horizon(horizon)
    alive = p_alive(x, t_x, age, parameters, model=model)
    n_orders, _, ages = _checked(x, t_x, age)
    ratio = horizon / (parameters["alpha"] + ages)
    shape = parameters["r"] + n_orders
    values, which = np.unique(n_orders, return_inverse=True)
    node, weight = _beta_nodes(parameters["a"], parameters["b"] + values + (model == MBG))
    if_alive = np.zeros(len(n_orders))
    for j in range(_N_NODES):
        p = node[which, j]
        if_alive += weight[which, j] * -np.expm1(-shape * np.log1p(p * ratio)) / p
    return np.asarray(alive * np.minimum(if_alive, shape * ratio), dtype="float64")


def expected_spend(x: npt.ArrayLike, mean_amount: npt.ArrayLike, parameters: Mapping[str, float]) -> FloatArray:
    """Expect so much of a purchase (Fader & Hardie 2013, eq. 5).

    Parameters
    ----------
    x : array of shape (n,)
        Repeat purchases.
    mean_amount : array of shape (n,)
        Their mean amount; where it is unknown or below 0, the customer is taken for an average one.
    parameters : mapping
        ``p, q, gamma``.

    Returns
    -------
    array of shape (n,)
        A weighted mean of the customer's own mean amount and that of all customers.

    Raises
    ------
    ValueError
        When a parameter or a value is outside its range; the message names both.

    Examples
    --------
    >>> expected_spend([0, 1], [0, 10.0], {"p": 6.25, "q": 3.74, "gamma": 15.44}).round(2).tolist()
    [35.22, 17.69]
    """
    check_parameters(SPEND, parameters)
    p, q = parameters["p"], parameters["q"]
    seen, total = _seen_spend(_finite("x", x, 0.0), mean_amount)
    return np.asarray(p * (parameters["gamma"] + total) / (p * seen + q - 1), dtype="float64")


def predictive_intervals(
    x: npt.ArrayLike,
    t_x: npt.ArrayLike,
    age: npt.ArrayLike,
    mean_amount: npt.ArrayLike,
    parameters: Mapping[str, float],
    spend: Mapping[str, float],
    horizon: float,
    *,
    model: str = BG,
) -> pd.DataFrame:
    """95 % predictive intervals of the number of purchases and of the amount spent in the time that follows.

    Simulated: 4,000 futures for each ``x`` and each of a fixed grid of ratios ``horizon / (alpha + age)`` (four to the
    doubling), between which quantiles are interpolated. That the customer may have left is not simulated but
    calculated. Uncertainty of the fitted parameters is left out; with thousands of customers it is small beside what
    chance does to one.

    Parameters
    ----------
    x, t_x, age, mean_amount, parameters, spend, horizon, model
        As in :func:`expected_orders` and :func:`expected_spend`.

    Returns
    -------
    DataFrame
        ``orders_low, orders_high, value_low, value_high``, in the order of the input. The same for the same customer
        whoever else is scored.

    Raises
    ------
    ValueError
        When a parameter or a value is outside its range; the message names both.
    """
    _check_horizon(horizon)
    check_parameters(SPEND, spend)
    alive = p_alive(x, t_x, age, parameters, model=model)
    n_orders, _, ages = _checked(x, t_x, age)
    seen, total = _seen_spend(n_orders, mean_amount)
    position = np.log2(horizon / (parameters["alpha"] + ages)) * _CELLS_PER_DOUBLING
    cell = np.floor(position).astype("int64")
    share = position - cell
    # At level q of all futures stands the future at level (q - P(gone)) / P(alive) of those where the customer lives.
    levels = [np.clip((q - (1 - alive)) / np.maximum(alive, 1e-12), 0.0, 1.0) for q in (0.025, 0.975)]
    result = np.zeros((len(n_orders), 4))
    keys, which = np.unique(np.column_stack([n_orders, seen, cell]), axis=0, return_inverse=True)
    by_key = np.split(np.argsort(which, kind="stable"), np.cumsum(np.bincount(which))[:-1])
    for (value, value_seen, at), rows in zip(keys.tolist(), by_key if len(keys) else [], strict=True):
        ratios = (2.0 ** (at / _CELLS_PER_DOUBLING), 2.0 ** ((at + 1) / _CELLS_PER_DOUBLING))
        ends = [_futures(value, value_seen, ratio, parameters, spend, model) for ratio in ratios]
        for column in range(4):
            level = levels[column % 2][rows] * (_N_DRAWS - 1)
            low, high = (np.interp(level, np.arange(_N_DRAWS), end[column // 2]) for end in ends)
            result[rows, column] = low + share[rows] * (high - low)
    result[:, 2:] *= (spend["gamma"] + total)[:, None]
    result[:, 0], result[:, 1] = np.floor(result[:, 0] + 1e-9), np.maximum(np.ceil(result[:, 1] - 1e-9), 0.0)
    return pd.DataFrame(result, columns=["orders_low", "orders_high", "value_low", "value_high"])


def check_parameters(model: str, parameters: Mapping[str, float]) -> None:
    """Raise ValueError when a parameter is missing or outside its range, naming it and what is allowed."""
    if model not in RANGES:
        raise ValueError(f"model is {model!r}; allowed: {', '.join(RANGES)}")
    for name, (low, high) in RANGES[model].items():
        value = parameters.get(name, np.nan)
        if not low <= value <= high:
            raise ValueError(f"{name} of {model} is {value}; allowed: {low:g} to {high:g}")


def _beta_nodes(a: float, b: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Nodes and weights, shape (len(b), _N_NODES), for means over Beta(a, b); the weights of a row sum to 1.

    The trapezoidal rule in ``s`` with ``logit p = peak + width sinh(s)``: it converges exponentially for a smooth
    integrand that vanishes at both ends, and reaches far out where a small ``a`` makes a long tail.
    """
    peak = np.log(a) - np.log(b)
    width = np.minimum(1.0, np.sqrt(1 / a + 1 / b))

    def log_density(z: FloatArray) -> FloatArray:
        return np.asarray(a * z - (a + b.reshape(-1, *[1] * (z.ndim - 1))) * np.logaddexp(0, z), dtype="float64")

    top = log_density(peak)
    reach = []
    for side in (-1.0, 1.0):
        near, far = np.zeros(len(b)), np.full(len(b), 40.0)
        for _ in range(60):
            middle = (near + far) / 2
            is_inside = log_density(peak + side * width * np.sinh(middle)) > top - 40
            near, far = np.where(is_inside, middle, near), np.where(is_inside, far, middle)
        reach.append(side * far)
    s = reach[0][:, None] + (reach[1] - reach[0])[:, None] * np.linspace(0, 1, _N_NODES)
    z = peak[:, None] + width[:, None] * np.sinh(s)
    weight = np.exp(log_density(z) - top[:, None]) * np.cosh(s)
    return np.maximum(expit(z), 1e-200), weight / weight.sum(axis=1, keepdims=True)


def _futures(
    x: float, seen: float, ratio: float, parameters: Mapping[str, float], spend: Mapping[str, float], model: str
) -> tuple[FloatArray, FloatArray]:
    """Sorted numbers of purchases, and sorted amounts in units of ``gamma + total``, of simulated living customers."""
    draw = np.random.default_rng(SEED)
    leaving = draw.beta(parameters["a"], parameters["b"] + x + (model == MBG), size=_N_DRAWS)
    until_gone = draw.geometric(np.clip(np.nan_to_num(leaving, nan=0.5), 1e-12, 1.0)).astype("float64")
    mean = np.minimum(draw.gamma(parameters["r"] + x, size=_N_DRAWS) * ratio, 1e15)
    orders = np.minimum(until_gone, draw.poisson(mean))
    amount = draw.gamma(spend["p"] * orders) / np.maximum(
        draw.gamma(spend["p"] * seen + spend["q"], size=_N_DRAWS), 1e-9
    )
    return np.sort(orders), np.sort(amount)


def _seen_spend(x: FloatArray, mean_amount: npt.ArrayLike) -> tuple[FloatArray, FloatArray]:
    """Purchases whose amounts are known, and their total."""
    amount = np.asarray(mean_amount, dtype="float64")
    if np.isinf(amount).any():
        raise ValueError("mean_amount is infinite; allowed: finite numbers, or NaN where nothing is known")
    is_seen = (x > 0) & (amount > 0)
    seen = np.where(is_seen, x, 0.0)
    return seen, seen * np.where(is_seen, amount, 0.0)


def _checked(x: npt.ArrayLike, t_x: npt.ArrayLike, age: npt.ArrayLike) -> tuple[FloatArray, FloatArray, FloatArray]:
    n_orders, recency, ages = _finite("x", x, 0.0), _finite("t_x", t_x, 0.0), _finite("age", age, 0.0)
    if not len(n_orders) == len(recency) == len(ages):
        lengths = f"{len(n_orders)}, {len(recency)} and {len(ages)}"
        raise ValueError(f"x, t_x and age have {lengths} rows; allowed: equally many")
    is_wrong = recency > ages
    if is_wrong.any():
        raise ValueError(f"t_x is {recency[is_wrong][0]:g}; allowed: 0 to age, which is {ages[is_wrong][0]:g}")
    return n_orders, np.where(n_orders > 0, recency, 0.0), ages


def _finite(name: str, values: npt.ArrayLike, low: float) -> FloatArray:
    array = np.atleast_1d(np.asarray(values, dtype="float64"))
    is_wrong = ~(np.isfinite(array) & (array >= low))
    if is_wrong.any():
        raise ValueError(f"{name} is {array[is_wrong][0]}; allowed: finite numbers from {low:g}")
    return array


def _weights(n: npt.ArrayLike | None, x: FloatArray) -> FloatArray:
    return np.ones(len(x)) if n is None else _finite("n", n, 0.0)


def _check_horizon(horizon: float) -> None:
    if not 0 < horizon <= 1e6:
        raise ValueError(f"horizon is {horizon}; allowed: above 0 to 1e+06")


# ------------------------------------------------------------------------------------------------------------- tables


@one_thread()
def fit_value(customers: pd.DataFrame) -> pd.DataFrame:
    """Fit all three models, choose between the first two, and learn how sure p_alive may be.

    BG/NBD and MBG/NBD have four parameters each, so their BIC differ by twice their log-likelihoods. BG/NBD is chosen
    unless the other's BIC is lower by more than 6, *strong* evidence (Kass & Raftery 1995). On the CDNOW sample the
    difference is 0.6, and BG/NBD predicts the next 39 weeks better in sum (1,653 purchases against 1,577 of 1,882).

    Parameters
    ----------
    customers : DataFrame
        ``n_repeat_orders, recency_days, age_days, mean_repeat_amount``; where it is known how they stood
        :data:`CALIBRATION_DAYS` before, ``n_repeat_orders_before, recency_days_before``, null for who had not bought;
        where a row stands for several customers, ``n_customers``.

    Returns
    -------
    DataFrame
        One row per model and term, with the columns of :data:`TERM_COLUMNS`: the parameters with their 95 % intervals,
        ``log_likelihood``, ``n_customers``, for ``bg_nbd`` and ``mbg_nbd`` ``is_chosen`` (0 or 1), and for the chosen
        one ``alive_slope`` (see :func:`fit_alive_slope`).

    Raises
    ------
    ValueError
        When a value is outside its range; the message names both.
    """
    x, t_x, age = (customers[name].to_numpy(dtype="float64") for name in PURCHASE_COLUMNS)
    amount = customers["mean_repeat_amount"].to_numpy(dtype="float64", na_value=np.nan)
    n = customers["n_customers"].to_numpy(dtype="float64") if "n_customers" in customers else np.ones(len(customers))
    bg, mbg, spend = fit_purchases(x, t_x, age, n), fit_purchases(x, t_x, age, n, model=MBG), fit_spend(x, amount, n)
    are_both_fitted = bg.method == mbg.method == MAXIMUM_LIKELIHOOD
    difference = 2 * (mbg.log_likelihood - bg.log_likelihood)
    # Where one alone was fitted it is taken; where neither, the one under which a single purchase can be the last.
    takes_mbg = difference > 6 if are_both_fitted else bg.method == MOMENTS
    rows: list[tuple[str, str, float, float, float, str, str]] = []
    for fit, chosen in ((bg, not takes_mbg), (mbg, takes_mbg), (spend, None)):
        terms = [(name, value, *fit.intervals[name]) for name, value in fit.parameters.items()]
        terms += [(name, float(v), np.nan, np.nan) for name, v in _facts(fit, chosen).items()]
        rows += [(fit.model, *term, fit.method, fit.status) for term in terms]
    slope, low, high, status = _slope_of(customers, n, MBG if takes_mbg else BG)
    method = MAXIMUM_LIKELIHOOD if status in (CONVERGED, AT_BOUND) else MOMENTS
    rows.append((MBG if takes_mbg else BG, ALIVE_SLOPE, slope, low, high, method, status))
    return pd.DataFrame(rows, columns=list(TERM_COLUMNS)).astype(TERM_COLUMNS)


def _slope_of(customers: pd.DataFrame, n: FloatArray, model: str) -> tuple[float, float, float, str]:
    """Learn the slope of p_alive from who had bought by then and has bought since."""
    if not set(BEFORE_COLUMNS) <= set(customers.columns):
        return 1.0, np.nan, np.nan, TOO_FEW
    then = customers[list(BEFORE_COLUMNS)].apply(lambda column: column.to_numpy(dtype="float64", na_value=np.nan))
    had_bought = then.notna().all(axis=1).to_numpy()
    now, then = customers[had_bought], then[had_bought]
    return fit_alive_slope(
        then["n_repeat_orders_before"], then["recency_days_before"],
        now["age_days"].to_numpy(dtype="float64") - CALIBRATION_DAYS,
        now["n_repeat_orders"].to_numpy(dtype="float64") > then["n_repeat_orders_before"].to_numpy(),
        CALIBRATION_DAYS, n[had_bought], model=model,
    )  # fmt: skip


def _facts(fit: Fit, chosen: bool | None) -> dict[str, float]:
    facts = {"log_likelihood": fit.log_likelihood, "n_customers": float(fit.n_customers)}
    return facts if chosen is None else facts | {"is_chosen": float(chosen)}


def score_value(customers: pd.DataFrame, terms: pd.DataFrame, horizons: Sequence[int] = (90, 365)) -> pd.DataFrame:
    """Score customers from stored terms.

    Everything is by the chosen model, but for one thing: p_alive of who bought once is always by MBG/NBD, since under
    BG/NBD it is 1 by assumption. The slope (:func:`fit_alive_slope`) makes p_alive less sure of itself and leaves what
    is expected as it is: the orders that come get no nearer to those expected by it.

    Parameters
    ----------
    customers : DataFrame
        ``n_repeat_orders, recency_days, age_days, mean_repeat_amount``, the last empty where unknown.
    terms : DataFrame
        As :func:`fit_value` returns it; only ``model, term, value, method`` are read.
    horizons : sequence of int
        In days.

    Returns
    -------
    DataFrame
        In the order and with the index of ``customers``: ``p_alive``, ``expected_order_amount``, for each horizon ``h``
        ``expected_orders_<h>`` and ``expected_value_<h>``, each with ``_low`` and ``_high``, its 95 % predictive
        interval (widened, where hardly any customer buys, to hold the expectation), and ``method``: the chosen model,
        ``_by_moments`` added when the fall-back fitted it. Never NaN or infinite. A customer's row depends on the
        customer and the terms alone.

    Raises
    ------
    ValueError
        When a term is missing or outside its range, or a value is; the message names both.
    """
    fitted = {model: _parameters(terms, model) for model in RANGES}
    model, method = _chosen(terms)
    x, t_x, age = (customers[name].to_numpy(dtype="float64") for name in PURCHASE_COLUMNS)
    amount = customers["mean_repeat_amount"].to_numpy(dtype="float64", na_value=np.nan)
    alive = p_alive(x, t_x, age, fitted[model], model=model)
    once = x == 0
    alive[once] = p_alive(x[once], t_x[once], age[once], fitted[MBG], model=MBG)
    alive = expit(_alive_slope(terms) * logit(alive))
    of_one = expected_spend(x, amount, fitted[SPEND])
    scores: dict[str, FloatArray] = {"p_alive": alive, "expected_order_amount": of_one}
    for horizon in horizons:
        orders = expected_orders(x, t_x, age, fitted[model], horizon, model=model)
        intervals = predictive_intervals(x, t_x, age, amount, fitted[model], fitted[SPEND], horizon, model=model)
        for name, value in (("orders", orders), ("value", orders * of_one)):
            column = f"expected_{name}_{horizon}"
            scores[column] = value
            scores[f"{column}_low"] = np.minimum(intervals[f"{name}_low"].to_numpy(), value)
            scores[f"{column}_high"] = np.maximum(intervals[f"{name}_high"].to_numpy(), value)
    return pd.DataFrame(scores, index=customers.index).assign(method=method)


def _parameters(terms: pd.DataFrame, model: str) -> dict[str, float]:
    rows = terms[terms["model"] == model]
    found = {str(term): float(value) for term, value in zip(rows["term"], rows["value"], strict=True)}
    parameters = {name: found.get(name, np.nan) for name in RANGES[model]}
    check_parameters(model, parameters)
    return parameters


def _alive_slope(terms: pd.DataFrame) -> float:
    """Read the slope; terms without one, as older fits are, leave p_alive as the model has it."""
    found = terms.loc[terms["term"] == ALIVE_SLOPE, "value"]
    slope = float(found.iloc[0]) if len(found) else 1.0
    if not _SLOPES[0] <= slope <= _SLOPES[1]:
        raise ValueError(f"{ALIVE_SLOPE} is {slope}; allowed: {_SLOPES[0]:g} to {_SLOPES[1]:g}")
    return slope


def _chosen(terms: pd.DataFrame) -> tuple[str, str]:
    chosen = terms[(terms["term"] == "is_chosen") & (terms["value"] == 1)]
    if len(chosen) != 1:
        raise ValueError(f"terms choose {len(chosen)} models (is_chosen = 1); allowed: one of {BG}, {MBG}")
    model = str(chosen["model"].iloc[0])
    return model, model if chosen["method"].iloc[0] == MAXIMUM_LIKELIHOOD else f"{model}_by_moments"


def fit_from_tables(
    purchases: duckdb.DuckDBPyRelation, stored: duckdb.DuckDBPyRelation | None = None, *, refit: str = "auto"
) -> pa.Table:
    """Fit one set of terms for each as-of date that asks for one.

    Parameters
    ----------
    purchases : relation
        ``as_of_date, n_repeat_orders, recency_days, age_days, mean_repeat_amount, n_repeat_orders_before,
        recency_days_before``, one row per customer and date.
    stored : relation, optional
        ``as_of_date`` of the fits that exist.
    refit : str
        ``auto``: those without a fit; ``always``: all of them; ``never``: none.

    Returns
    -------
    Table
        ``as_of_date`` and the columns of :data:`TERM_COLUMNS`; no rows when there was nothing to fit. No sample is
        taken: alike customers are counted, which is exact. Memory holds the customers of one date.

    Raises
    ------
    ValueError
        When ``refit`` is unknown or a value is outside its range; the message names both.
    """
    check_refit(refit)
    days = {day for (day,) in purchases.project("as_of_date").distinct().fetchall()} if refit != "never" else set()
    known = {day for (day,) in stored.fetchall()} if stored is not None and refit == "auto" else set()
    columns = ", ".join((*PURCHASE_COLUMNS, *BEFORE_COLUMNS, "mean_repeat_amount"))
    fits = [TERM_SCHEMA.empty_table()]
    for day in sorted(days - known):
        of_day = purchases.filter(duckdb.ColumnExpression("as_of_date") == duckdb.ConstantExpression(day))
        rows = of_day.aggregate(f"{columns}, count(*) as n_customers", columns).order(columns).df()
        fitted = fit_value(rows).assign(as_of_date=day)
        fits.append(pa.Table.from_pandas(fitted, schema=TERM_SCHEMA, preserve_index=False))
    return pa.concat_tables(fits)


def score_from_tables(
    purchases: duckdb.DuckDBPyRelation,
    terms: duckdb.DuckDBPyRelation,
    horizons: Sequence[int] = (90, 365),
    *,
    batch_size: int = 100_000,
) -> pa.RecordBatchReader:
    """Score every customer at each as-of date, batch by batch.

    Parameters
    ----------
    purchases : relation
        ``customer_id, as_of_date, n_repeat_orders, recency_days, age_days, mean_repeat_amount``.
    terms : relation
        As :func:`fit_from_tables` returns it. Those of the as-of date are used or, where it has none, the last ones
        before it: a later fit knows what was not known then.
    horizons : sequence of int
        In days.
    batch_size : int
        Customers scored at a time; memory holds one batch.

    Returns
    -------
    RecordBatchReader
        ``customer_id, as_of_date, fitted_as_of_date`` and the columns of :func:`score_value`.

    Raises
    ------
    ValueError
        When an as-of date has no terms, or terms or customers are outside their range.
    """
    fits = _by_date(terms.df())
    columns = f"customer_id, as_of_date, {', '.join(PURCHASE_COLUMNS)}, mean_repeat_amount"
    # Customers of equal history side by side, so that their simulated futures are met in one batch.
    ordered = purchases.project(columns).order("as_of_date, n_repeat_orders, age_days, customer_id")
    total = purchases.aggregate("count(*)").fetchall()[0][0]
    schema = _score_schema(horizons)

    def batches() -> Iterator[pa.RecordBatch]:
        progress, done = Progress("customers valued", total), 0
        for batch in ordered.to_arrow_reader(batch_size):
            for day, customers in _by_date(batch.to_pandas()).items():
                fitted = max((known for known in fits if known <= day), default=None)
                if fitted is None:
                    raise ValueError(f"as_of_date {day} has no fit on or before it; set the var refit to auto")
                scores = score_value(customers, fits[fitted], horizons)
                keys = customers[["customer_id", "as_of_date"]].assign(fitted_as_of_date=fitted)
                yield pa.RecordBatch.from_pandas(keys.join(scores), schema=schema, preserve_index=False)
            done += len(batch)
            progress.update(done)

    return pa.RecordBatchReader.from_batches(schema, batches())


def _by_date(frame: pd.DataFrame) -> dict[date, pd.DataFrame]:
    """Part a table by as_of_date, as a date: DuckDB gives pandas a timestamp, Arrow a date."""
    days = pd.to_datetime(frame["as_of_date"]).dt.date
    dated = frame.assign(as_of_date=days)
    return {day: dated[days == day] for day in sorted(set(days))}


def _score_schema(horizons: Sequence[int]) -> pa.Schema:
    keys = [("customer_id", pa.string()), ("as_of_date", pa.date32()), ("fitted_as_of_date", pa.date32())]
    numbers = ["p_alive", "expected_order_amount"]
    numbers += [f"expected_{name}_{h}{end}" for h in horizons for name in ("orders", "value") for end in ENDS]
    return pa.schema([*keys, *((name, pa.float64()) for name in numbers), ("method", pa.string())])


# --------------------------------------------------------------------------------------------------------- evaluation


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
