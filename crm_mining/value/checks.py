"""Checks of what a caller passes: a value or parameter outside its range is refused by name."""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from crm_mining.common.arrays import FloatArray
from crm_mining.value.vocabulary import RANGES


def check_parameters(model: str, parameters: Mapping[str, float]) -> None:
    """Raise ValueError when a parameter is missing or outside its range, naming it and what is allowed."""
    if model not in RANGES:
        raise ValueError(f"model is {model!r}; allowed: {', '.join(RANGES)}")
    for name, (low, high) in RANGES[model].items():
        value = parameters.get(name, np.nan)
        if not low <= value <= high:
            raise ValueError(f"{name} of {model} is {value}; allowed: {low:g} to {high:g}")


def checked_history(
    x: npt.ArrayLike, t_x: npt.ArrayLike, age: npt.ArrayLike
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Give ``x, t_x, age`` as arrays, ``t_x`` 0 where ``x`` is; raise ValueError where one is impossible."""
    n_orders, recency, ages = finite("x", x, 0.0), finite("t_x", t_x, 0.0), finite("age", age, 0.0)
    if not len(n_orders) == len(recency) == len(ages):
        lengths = f"{len(n_orders)}, {len(recency)} and {len(ages)}"
        raise ValueError(f"x, t_x and age have {lengths} rows; allowed: equally many")
    is_wrong = recency > ages
    if is_wrong.any():
        raise ValueError(f"t_x is {recency[is_wrong][0]:g}; allowed: 0 to age, which is {ages[is_wrong][0]:g}")
    return n_orders, np.where(n_orders > 0, recency, 0.0), ages


def finite(name: str, values: npt.ArrayLike, low: float) -> FloatArray:
    """Give an array of finite numbers from ``low`` on, or raise ValueError with the first that is not."""
    array = np.atleast_1d(np.asarray(values, dtype="float64"))
    is_wrong = ~(np.isfinite(array) & (array >= low))
    if is_wrong.any():
        raise ValueError(f"{name} is {array[is_wrong][0]}; allowed: finite numbers from {low:g}")
    return array


def weights(n: npt.ArrayLike | None, x: FloatArray) -> FloatArray:
    """Give the number of customers that each row stands for: ``n``, or one."""
    return np.ones(len(x)) if n is None else finite("n", n, 0.0)


def check_horizon(horizon: float) -> None:
    """Raise ValueError unless it lies above 0 and within a million units of time."""
    if not 0 < horizon <= 1e6:
        raise ValueError(f"horizon is {horizon}; allowed: above 0 to 1e+06")
