"""Recalibration of p_alive, learned from who bought in the time that followed.

p_alive of BG/NBD and MBG/NBD is overconfident where customers have busy and quiet times, which these models don't know.
"""

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize_scalar
from scipy.special import expit, logit

from crm_mining.value.checks import check_horizon, checked_history, weights
from crm_mining.value.likelihood import Z95
from crm_mining.value.purchases import fit_purchases, p_alive
from crm_mining.value.vocabulary import AT_BOUND, BG, CONVERGED, MOMENTS

SLOPES = (0.1, 3.0)


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
    """Learn how far the log-odds of p_alive must be stretched or shrunk, from who bought in the time that followed.

    A customer who is alive with probability ``p`` buys in that time with probability ``p * q``, where ``q`` is what the
    fitted rates say of the living: ``1 - ((alpha + age) / (alpha + age + horizon)) ** (r + x)``. Calibrated log-odds
    are ``slope * logit(p)``, the slope by maximum likelihood. There is no intercept: the living who don't buy for long
    look like those who left, so purchases show who is more likely alive, but not how many are. The truth of who left is
    not needed.

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
        The slope with its 95 % interval (Wald), and the status as in :class:`~crm_mining.value.likelihood.Fit`. 1 and
        NaN where the model needs the fall-back.

    Raises
    ------
    ValueError
        When a value is outside its range; the message names both.
    """
    check_horizon(horizon)
    fit = fit_purchases(x, t_x, age, n, model=model)
    if fit.method == MOMENTS:
        return 1.0, np.nan, np.nan, fit.status
    n_orders, _, ages = checked_history(x, t_x, age)
    counts, bought = weights(n, n_orders), np.asarray(has_bought, dtype="float64")
    log_stay = np.log(fit.parameters["alpha"] + ages) - np.log(fit.parameters["alpha"] + ages + horizon)
    buying = -np.expm1((fit.parameters["r"] + n_orders) * log_stay)
    alive = p_alive(x, t_x, age, fit.parameters, model=model)
    # Under BG/NBD who bought once is alive by assumption, which is not informative.
    informative = (alive < 1) & (alive > 0) & (counts > 0)
    odds, buying = logit(alive[informative]), buying[informative]
    bought, counts = bought[informative], counts[informative]

    def loss(slope: float) -> float:
        p = np.clip(expit(slope * odds) * buying, 1e-300, 1 - 1e-12)
        return -float((counts * (bought * np.log(p) + (1 - bought) * np.log1p(-p))).sum())

    slope = float(minimize_scalar(loss, bounds=SLOPES, method="bounded", options={"xatol": 1e-8}).x)
    if not SLOPES[0] + 1e-6 < slope < SLOPES[1] - 1e-6:
        return slope, np.nan, np.nan, AT_BOUND
    step = 1e-3
    curvature = (loss(slope + step) - 2 * loss(slope) + loss(slope - step)) / step**2
    error = Z95 / np.sqrt(curvature) if curvature > 0 else np.nan
    return slope, slope - error, slope + error, CONVERGED
