"""How often a customer will buy: BG/NBD and MBG/NBD.

A customer buys at a rate of their own (Gamma-distributed among customers) and may leave after each purchase with a
probability of their own (Beta-distributed). In the BG/NBD (Fader, Hardie & Lee 2005, *Counting your customers the easy
way*, Marketing Science 24) nobody leaves before the first repeat purchase, so that whoever bought once is alive for
ever; in the MBG/NBD (Batislam, Denizel & Filiztekin 2007, *Empirical validation and comparison of models for customer
base analysis*, IJRM 24) the first purchase may be the last. The two differ in the number of chances to leave, ``x`` and
``x + 1``, and in nothing else; here they are one set of formulas.

Done differently from the papers, for numbers that stay finite whatever the customer: expected orders are an integral
over the probability of leaving, of positive terms, instead of a hypergeometric function that cancels and has a pole
where ``a`` is 1.

Times are in any one unit; the functions on tables use days. A fit leaves a table of terms, and scoring reads nothing
else.
"""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
from scipy.special import betaln, digamma, expit, gammaln

from crm_mining.common.arrays import FloatArray
from crm_mining.value.checks import check_horizon, check_parameters, checked_history, weights
from crm_mining.value.likelihood import REACH, Fit, Likelihood, as_fit, maximise, value_at
from crm_mining.value.vocabulary import (
    BG,
    MBG,
    MIN_CUSTOMERS,
    MIN_REPEAT_CUSTOMERS,
    MOMENTS,
    NOT_CONVERGED,
    PRIOR_A,
    PRIOR_B,
    RANGES,
    TOO_FEW,
)

_STARTS = ((0.5, 1.0, 0.5, 2.0), (1.0, 1.0, 1.0, 1.0), (0.2, 0.1, 2.0, 10.0), (5.0, 5.0, 0.1, 0.5))
_N_NODES = 129


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
    n_orders, recency, ages = checked_history(x, t_x, age)
    counts = weights(n, n_orders)
    kept = counts > 0
    n_orders, recency, ages, counts = n_orders[kept], recency[kept], ages[kept], counts[kept]
    n_customers, n_repeat = float(counts.sum()), float(counts[n_orders > 0].sum())
    total_age = float(counts @ ages)
    status = TOO_FEW
    if n_customers >= MIN_CUSTOMERS and n_repeat >= MIN_REPEAT_CUSTOMERS and total_age > 0:
        scale = total_age / n_customers
        likelihood = _purchase_likelihood(n_orders, recency / scale, ages / scale, counts, model)
        fit = maximise(likelihood, _STARTS, [(1 / REACH, REACH)] * 4, n_customers)
        status = fit.status
        if status != NOT_CONVERGED:
            unit = np.array([1.0, scale, 1.0, 1.0])
            log_likelihood = fit.log_likelihood - float(counts @ n_orders) * float(np.log(scale))
            return as_fit(model, fit, unit, log_likelihood, n_customers)
    parameters = _moments_of_rates(n_orders, ages, counts)
    value = (
        value_at(_purchase_likelihood(n_orders, recency, ages, counts, model), parameters) if len(n_orders) else np.nan
    )
    unknown = dict.fromkeys(parameters, (np.nan, np.nan))
    return Fit(model, parameters, unknown, value, int(n_customers), MOMENTS, status)


def _purchase_likelihood(x: FloatArray, t_x: FloatArray, age: FloatArray, n: FloatArray, model: str) -> Likelihood:
    """Log-likelihood and its gradient in the logarithms of ``r, alpha, a, b`` (Fader, Hardie & Lee 2005, eq. 6).

    What depends on ``x`` alone is computed once for each ``x``.
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
    n_orders, recency, ages = checked_history(x, t_x, age)
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
    """Give the expected number of purchases in the time that follows.

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
    check_horizon(horizon)
    alive = p_alive(x, t_x, age, parameters, model=model)
    n_orders, _, ages = checked_history(x, t_x, age)
    ratio = horizon / (parameters["alpha"] + ages)
    shape = parameters["r"] + n_orders
    values, which = np.unique(n_orders, return_inverse=True)
    node, weight = _beta_nodes(parameters["a"], parameters["b"] + values + (model == MBG))
    if_alive = np.zeros(len(n_orders))
    for j in range(_N_NODES):
        p = node[which, j]
        if_alive += weight[which, j] * -np.expm1(-shape * np.log1p(p * ratio)) / p
    return np.asarray(alive * np.minimum(if_alive, shape * ratio), dtype="float64")


def _beta_nodes(a: float, b: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Nodes and weights, shape (len(b), _N_NODES), for means over Beta(a, b); the weights of a row sum to 1.

    The trapezoidal rule in ``s`` with ``logit p = peak + width sinh(s)``: it converges exponentially for a smooth
    integrand that vanishes at both ends, and reaches far out where a small ``a`` makes a long tail.
    """
    peak = np.log(a) - np.log(b)
    width = np.minimum(1.0, np.sqrt(1 / a + 1 / b))

    def log_density(z: FloatArray) -> FloatArray:
        return np.asarray(a * z - (a + b.reshape(-1, *[1] * (z.ndim - 1))) * np.logaddexp(0, z), dtype="float64")

    peak_density = log_density(peak)
    reach = []
    for side in (-1.0, 1.0):
        near, far = np.zeros(len(b)), np.full(len(b), 40.0)
        for _ in range(60):
            middle = (near + far) / 2
            is_inside = log_density(peak + side * width * np.sinh(middle)) > peak_density - 40
            near, far = np.where(is_inside, middle, near), np.where(is_inside, far, middle)
        reach.append(side * far)
    s = reach[0][:, None] + (reach[1] - reach[0])[:, None] * np.linspace(0, 1, _N_NODES)
    z = peak[:, None] + width[:, None] * np.sinh(s)
    weight = np.exp(log_density(z) - peak_density[:, None]) * np.cosh(s)
    return np.maximum(expit(z), 1e-200), weight / weight.sum(axis=1, keepdims=True)
