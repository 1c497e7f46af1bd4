"""Folds that keep groups together and classes even, and the choice of an option by inner folds."""

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from crm_mining.common.arrays import FloatArray, IntArray
from crm_mining.prediction.models import Training


def fold_ids(y: FloatArray, groups: IntArray, n_folds: int, seed: int) -> IntArray:
    """Deal groups of rows out to folds, with about the same share of yes (or of each tenth of amounts) in each.

    Returns
    -------
    IntArray
        Shape (n,): 0 to ``n_folds - 1``; rows of one group are in one fold.
    """
    table = pd.DataFrame({"group": groups, "y": y}).groupby("group", sort=True)["y"].mean()
    ranks = table.rank(method="dense" if table.nunique() <= 10 else "average", pct=True)
    stratum = (ranks * 10).round().to_numpy()
    shuffled = np.random.default_rng(seed).permutation(len(table))
    order = shuffled[np.argsort(stratum[shuffled], kind="stable")]
    fold = np.empty(len(table), dtype="int64")
    fold[order] = np.arange(len(table)) % n_folds
    return fold[np.searchsorted(table.index.to_numpy(), groups)]


def best_option(
    options: Sequence[float], data: Training, fold: Callable[[IntArray, IntArray], Callable[[float], float]]
) -> float:
    """Choose the option of least mean loss in three inner folds, climbing down from the middle one.

    Parameters
    ----------
    options : sequence of float
        In the order of their strength.
    data : Training
        Rows, outcomes and groups.
    fold : callable
        Takes row numbers to train on and to test on, and gives a function from an option to its loss; it may remember
        where the option before ended.

    Returns
    -------
    float
        The first option where there are too few rows to tell.
    """
    number = fold_ids(data.y, data.groups, 3, data.seed)
    parts = [(np.flatnonzero(number != k), np.flatnonzero(number == k)) for k in range(3)]
    if len(data.y) < 30 or any(len(np.unique(data.y[train])) < 2 or not len(test) for train, test in parts):
        return options[0]
    losses = [fold(train, test) for train, test in parts]
    # From the middle downhill: the loss has one valley.
    found: dict[int, float] = {}

    def mean(i: int) -> float:
        if i not in found:
            found[i] = float(np.mean([loss(options[i]) for loss in losses]))
        return found[i]

    at = len(options) // 2
    while True:
        best = min((i for i in (at - 1, at, at + 1) if 0 <= i < len(options)), key=lambda i: (mean(i), i))
        if best == at:
            return options[at]
        at = best
