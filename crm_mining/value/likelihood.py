"""The maximum of a likelihood, from several starts, and the intervals of its parameters."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize

from crm_mining.common.arrays import BoolArray, FloatArray
from crm_mining.value.vocabulary import AT_BOUND, CONVERGED, MAXIMUM_LIKELIHOOD, NOT_CONVERGED, RANGES

#: A fit searches within this factor of 1, times and amounts measured by their means.
REACH = 1e4
Z95 = 1.959963984540054


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


Likelihood = Callable[[FloatArray], tuple[float, FloatArray]]


@dataclass(frozen=True)
class _Maximum:
    parameters: FloatArray
    low: FloatArray
    high: FloatArray
    log_likelihood: float
    status: str


def maximise(
    likelihood: Likelihood,
    starts: Sequence[Sequence[float]],
    bounds: Sequence[tuple[float, float]],
    n_customers: float,
) -> _Maximum:
    """Climb from each start; take the highest maximum and judge it."""

    def loss(log_parameters: FloatArray) -> tuple[float, FloatArray]:
        value, gradient = likelihood(log_parameters)
        return -value / n_customers, -gradient / n_customers

    log_bounds = [(float(np.log(low)), float(np.log(high))) for low, high in bounds]
    options = {"maxiter": 1000, "maxfun": 2000, "ftol": 1e-15, "gtol": 1e-9, "maxls": 50}
    found = [minimize(loss, np.log(s), jac=True, method="L-BFGS-B", bounds=log_bounds, options=options) for s in starts]
    found = [end for end in found if np.isfinite(end.fun) and np.all(np.isfinite(end.x))]
    if not found:
        nothing = np.full(len(bounds), np.nan)
        return _Maximum(nothing, nothing, nothing, np.nan, NOT_CONVERGED)
    # Maxima as good as the best are one; the earliest start that found it counts.
    best_value = min(end.fun for end in found)
    best = next(end for end in found if end.fun <= best_value + 1e-12)
    log_best = np.asarray(best.x, dtype="float64")
    low, high = np.array(log_bounds).T
    is_at_bound = (log_best <= low + 1e-6) | (log_best >= high - 1e-6)
    slope = np.where(is_at_bound, 0.0, loss(log_best)[1])
    # The line search may end on rounding errors (success is False) at the very maximum; the slope decides.
    status = NOT_CONVERGED if np.abs(slope).max() > 1e-4 else AT_BOUND if is_at_bound.any() else CONVERGED
    error = _standard_errors(loss, log_best, n_customers, ~is_at_bound)
    return _Maximum(
        np.exp(log_best),
        np.exp(log_best - Z95 * error),
        np.exp(log_best + Z95 * error),
        -float(best.fun) * n_customers,
        status,
    )


def _standard_errors(loss: Likelihood, at: FloatArray, n_customers: float, is_free: BoolArray) -> FloatArray:
    """Find the standard errors of the log-parameters from the curvature of the likelihood; NaN off a maximum."""
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


def value_at(likelihood: Likelihood, parameters: Mapping[str, float]) -> float:
    """Log-likelihood at given parameters."""
    return float(likelihood(np.log(list(parameters.values())))[0])


def as_fit(model: str, maximum: _Maximum, unit: FloatArray, log_likelihood: float, n_customers: float) -> Fit:
    """Name the parameters at the maximum, each times its unit."""
    names = list(RANGES[model])
    low, value, high = maximum.low * unit, maximum.parameters * unit, maximum.high * unit
    ends = {name: (float(low[i]), float(high[i])) for i, name in enumerate(names)}
    values = {name: float(value[i]) for i, name in enumerate(names)}
    return Fit(model, values, ends, log_likelihood, int(n_customers), MAXIMUM_LIKELIHOOD, maximum.status)
