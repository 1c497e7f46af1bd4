"""Bootstrap by weights: a draw with replacement is how often each unit was drawn, so what is sorted is sorted once.

A measure of resampled rows is the measure of all rows with these counts as weights (Efron 1979; Efron & Tibshirani
1993, *An Introduction to the Bootstrap*, ch. 10). Sorting, logarithms and products of the rows then belong to no draw,
and what is left for each is a sum or a running sum.
"""

from collections.abc import Callable, Hashable, Iterator, Mapping
from typing import TypeVar

import numpy as np

from crm_mining.common.arrays import FloatArray, IntArray

#: What a measure is known by.
Name = TypeVar("Name", bound=Hashable)
#: At most this many counts (rows times draws) are held at a time: more would leave the processor's cache.
CHUNK_CELLS = 400_000


def draw_counts(n_units: int, n_draws: int, seed: int, *, codes: IntArray | None = None) -> Iterator[FloatArray]:
    """Draw as many units as there are, with replacement, and count how often each was drawn.

    Parameters
    ----------
    n_units : int
        Units that are drawn: rows, or the customers that they are of.
    n_draws : int
        Number of draws.
    seed : int
        Of the draws.
    codes : array of shape (n_rows,), optional
        Unit of each row, from 0 to ``n_units - 1``: all rows of a unit are drawn together (a cluster bootstrap, Davison
        & Hinkley 1997, ch. 3.8). By default each row is a unit.

    Yields
    ------
    array of shape (n_rows, n_drawn)
        Counts of some of the draws, one column each; the draws are the same however they are cut into parts.
    """
    rng = np.random.default_rng(seed)
    n_rows = n_units if codes is None else len(codes)
    step = max(1, min(n_draws, CHUNK_CELLS // max(n_rows, 1)))
    for start in range(0, n_draws, step):
        n = min(step, n_draws - start)
        places = rng.integers(0, n_units, (n, n_units)) + np.arange(n)[:, None] * n_units
        counts = np.bincount(places.ravel(), minlength=n * n_units).reshape(n, n_units)
        of_rows = counts.T if codes is None else counts.T[codes]
        yield np.ascontiguousarray(of_rows, dtype="float64")


def resample(
    measure: Callable[[FloatArray], Mapping[Name, FloatArray]], counts: Iterator[FloatArray] | list[FloatArray]
) -> dict[Name, FloatArray]:
    """Measure every draw.

    Parameters
    ----------
    measure : callable
        Takes weights of shape (n_rows, n_drawn), gives measures of shape (n_drawn,) by name.
    counts : iterable
        Of :func:`draw_counts`.

    Returns
    -------
    dict
        Measure to array of shape (n_draws,).
    """
    parts = [measure(w) for w in counts]
    return {name: np.concatenate([part[name] for part in parts]) for name in (parts[0] if parts else {})}


def percentiles(drawn: FloatArray) -> tuple[float, float]:
    """95 % interval of a measure from its draws (percentile bootstrap); draws where it is not defined don't count."""
    known = drawn[np.isfinite(drawn)]
    if not len(known):
        return np.nan, np.nan
    low, high = np.quantile(known, [0.025, 0.975])
    return float(low), float(high)
