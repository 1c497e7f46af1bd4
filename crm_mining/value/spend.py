"""What a customer spends on a purchase: Gamma-Gamma (Fader & Hardie 2013, *The Gamma-Gamma model of monetary value*).

What is spent is independent of how often, given the customer.
"""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
from scipy.special import digamma, gammaln

from crm_mining.common.arrays import FloatArray
from crm_mining.value.checks import check_parameters, finite, weights
from crm_mining.value.likelihood import REACH, Fit, Likelihood, as_fit, maximise, value_at
from crm_mining.value.vocabulary import (
    MIN_REPEAT_CUSTOMERS,
    MOMENTS,
    NOT_CONVERGED,
    PRIOR_P,
    PRIOR_Q,
    RANGES,
    SPEND,
    TOO_FEW,
)

_STARTS = ((2.0, 3.0, 1.0), (6.0, 4.0, 0.5), (1.0, 10.0, 5.0), (20.0, 2.0, 0.1))


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
    n_orders = finite("x", x, 0.0)
    amount = np.asarray(mean_amount, dtype="float64")
    counts = weights(n, n_orders)
    kept = (counts > 0) & (n_orders > 0) & np.isfinite(amount) & (amount > 0)
    n_orders, amount, counts = n_orders[kept], amount[kept], counts[kept]
    n_customers = float(counts.sum())
    scale = float((counts * n_orders) @ amount / (counts @ n_orders)) if len(n_orders) else 1.0
    status = TOO_FEW
    if n_customers >= MIN_REPEAT_CUSTOMERS:
        likelihood = _spend_likelihood(n_orders, amount / scale, counts)
        low_q = RANGES[SPEND]["q"][0]
        fit = maximise(likelihood, _STARTS, [(1 / REACH, REACH), (low_q, REACH), (1 / REACH, REACH)], n_customers)
        status = fit.status if fit.parameters[1] > 1.001 * low_q else NOT_CONVERGED
        if status != NOT_CONVERGED:
            log_likelihood = fit.log_likelihood - n_customers * float(np.log(scale))
            return as_fit(SPEND, fit, np.array([1.0, 1.0, scale]), log_likelihood, n_customers)
    parameters = {"p": PRIOR_P, "q": PRIOR_Q, "gamma": scale * (PRIOR_Q - 1) / PRIOR_P}
    value = value_at(_spend_likelihood(n_orders, amount, counts), parameters) if len(n_orders) else np.nan
    unknown = dict.fromkeys(parameters, (np.nan, np.nan))
    return Fit(SPEND, parameters, unknown, value, int(n_customers), MOMENTS, status)


def _spend_likelihood(x: FloatArray, amount: FloatArray, n: FloatArray) -> Likelihood:
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


def expected_spend(x: npt.ArrayLike, mean_amount: npt.ArrayLike, parameters: Mapping[str, float]) -> FloatArray:
    """Give the expected amount of a purchase (Fader & Hardie 2013, eq. 5).

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
    seen, total = seen_spend(finite("x", x, 0.0), mean_amount)
    return np.asarray(p * (parameters["gamma"] + total) / (p * seen + q - 1), dtype="float64")


def seen_spend(x: FloatArray, mean_amount: npt.ArrayLike) -> tuple[FloatArray, FloatArray]:
    """Purchases whose amounts are known, and their total."""
    amount = np.asarray(mean_amount, dtype="float64")
    if np.isinf(amount).any():
        raise ValueError("mean_amount is infinite; allowed: finite numbers, or NaN where nothing is known")
    is_seen = (x > 0) & (amount > 0)
    seen = np.where(is_seen, x, 0.0)
    return seen, seen * np.where(is_seen, amount, 0.0)
