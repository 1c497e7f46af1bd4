"""Predictive intervals: what 95 of 100 such customers will do, not how well a mean is known.

They depend on a customer only through ``x``, the ratio of horizon to ``alpha + T``, p_alive and the scale of spending,
so a few thousand simulations serve any number of customers; and on nobody else, so one customer more changes no other.
"""

from collections.abc import Mapping
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import pandas as pd

from crm_mining.common.arrays import FloatArray
from crm_mining.common.seeds import SEED
from crm_mining.value.checks import check_horizon, check_parameters, checked_history
from crm_mining.value.purchases import p_alive
from crm_mining.value.spend import seen_spend
from crm_mining.value.vocabulary import BG, MBG, SPEND

_N_DRAWS = 4000
_CELLS_PER_DOUBLING = 4


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
        As in :func:`~crm_mining.value.purchases.expected_orders` and :func:`~crm_mining.value.spend.expected_spend`.

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
    check_horizon(horizon)
    check_parameters(SPEND, spend)
    alive = p_alive(x, t_x, age, parameters, model=model)
    n_orders, _, ages = checked_history(x, t_x, age)
    seen, total = seen_spend(n_orders, mean_amount)
    position = np.log2(horizon / (parameters["alpha"] + ages)) * _CELLS_PER_DOUBLING
    cell = np.floor(position).astype("int64")
    share = position - cell
    # At level q of all futures stands the future at level (q - P(gone)) / P(alive) of those where the customer lives.
    levels = [np.clip((q - (1 - alive)) / np.maximum(alive, 1e-12), 0.0, 1.0) for q in (0.025, 0.975)]
    result = np.zeros((len(n_orders), 4))
    keys, which = np.unique(np.column_stack([n_orders, seen, cell]), axis=0, return_inverse=True)

    @lru_cache(maxsize=64)  # The keys are sorted: the upper end of one cell is the lower end of the next.
    def futures(x: float, seen: float, at: float) -> tuple[FloatArray, FloatArray]:
        return _futures(x, seen, 2.0 ** (at / _CELLS_PER_DOUBLING), parameters, spend, model)

    by_key = np.split(np.argsort(which, kind="stable"), np.cumsum(np.bincount(which))[:-1])
    for (value, value_seen, at), rows in zip(keys.tolist(), by_key if len(keys) else [], strict=True):
        ends = [futures(value, value_seen, end) for end in (at, at + 1)]
        for column in range(4):
            level = levels[column % 2][rows] * (_N_DRAWS - 1)
            low, high = (np.interp(level, np.arange(_N_DRAWS), end[column // 2]) for end in ends)
            result[rows, column] = low + share[rows] * (high - low)
    result[:, 2:] *= (spend["gamma"] + total)[:, None]
    result[:, 0], result[:, 1] = np.floor(result[:, 0] + 1e-9), np.maximum(np.ceil(result[:, 1] - 1e-9), 0.0)
    return pd.DataFrame(result, columns=["orders_low", "orders_high", "value_low", "value_high"])


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
