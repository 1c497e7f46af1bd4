"""Candidate models, each stored as a table of coefficients, of tree nodes, or of both.

Whatever was fitted, the stored form is one: a raw score ``s = intercept + sum(coefficient * term) + sum(leaf values)``,
with the terms of :mod:`crm_mining.prediction.encoding` and one leaf for each stored tree. For yes/no targets ``s`` is
in log-odds, or a probability that its logit turns into log-odds (forest), and the calibrated probability is
``1 / (1 + exp(-(a + b * log_odds)))``. For amounts the prediction is ``s`` or ``exp(s)``, held within the amounts seen.
scikit-learn fits; nothing of it is kept, so no pickle is ever written or read.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from scipy.special import expit, logit

from crm_mining.common.arrays import FloatArray, IntArray
from crm_mining.prediction.encoding import Encoding
from crm_mining.prediction.tree_walk import NODE_COLUMNS, walk

TERM_COLUMNS = {"term": "str", "coefficient": "float64", "interval_low": "float64", "interval_high": "float64"}
LOG_ODDS, PROBABILITY, IDENTITY, LOG = "log_odds", "probability", "identity", "log"
#: Probabilities never come nearer to 0 and 1 than this before their logit is taken.
LEAST = 1e-4


@dataclass(frozen=True)
class Model:
    """A fitted model in its stored form.

    Parameters
    ----------
    name : str
        Name of the candidate.
    score : str
        What the raw score is: ``log_odds`` or ``probability`` of yes; ``identity`` or ``log`` for an amount.
    intercept : float
        Constant of the raw score.
    terms : DataFrame
        Columns of :data:`TERM_COLUMNS`: coefficients with 95 % intervals, null where the method gives none.
    nodes : DataFrame
        Columns of :data:`NODE_COLUMNS`, one row per node. A customer goes left when the feature is at most
        ``threshold`` (``level`` null) or is not ``level``; when it is null, as ``is_missing_left`` says. A leaf has
        the feature null and ``left_node`` -1. Numbers are compared as single precision floats.
    calibration : tuple of float
        ``(a, b)`` of the calibrated log-odds ``a + b * log_odds``.
    bounds : tuple of float
        Least and largest prediction of an amount.
    threshold : float
        A probability at or above it counts as yes in the confusion matrix.
    """

    name: str
    score: str
    intercept: float
    terms: pd.DataFrame = field(default_factory=lambda: empty_table(TERM_COLUMNS))
    nodes: pd.DataFrame = field(default_factory=lambda: empty_table(NODE_COLUMNS))
    calibration: tuple[float, float] = (0.0, 1.0)
    bounds: tuple[float, float] = (-np.inf, np.inf)
    threshold: float = 0.5

    def raw(self, encoded: Encoding, frame: pd.DataFrame) -> FloatArray:
        """Raw score, shape (n_rows,)."""
        used = self.terms["term"].tolist()
        found = np.full(len(frame), self.intercept)
        if used:
            found += weighted_sum(encoded.matrix(frame, used), self.terms["coefficient"].to_numpy())
        if len(self.nodes):
            found += walk(self.nodes, encoded, frame)[0]
        return found

    def log_odds(self, raw: FloatArray) -> FloatArray:
        """Uncalibrated log-odds from raw scores."""
        return logit(np.clip(raw, LEAST, 1 - LEAST)) if self.score == PROBABILITY else raw

    def prediction(self, raw: FloatArray) -> FloatArray:
        """Calibrated probability, or amount, from raw scores."""
        if self.score in (LOG_ODDS, PROBABILITY):
            return np.asarray(expit(self.calibration[0] + self.calibration[1] * self.log_odds(raw)))
        amount = np.exp(np.minimum(raw, 700.0)) if self.score == LOG else raw
        return np.clip(amount, *self.bounds)


@dataclass
class Training:
    """Training rows of one fit: what a candidate sees.

    Parameters
    ----------
    frame : DataFrame
        The rows.
    y : FloatArray
        Shape (n,): 0 or 1, or an amount.
    encoded : Encoding
        Terms learned from these rows alone.
    groups : IntArray
        Shape (n,): rows of one customer have one number; they are never split between inner folds.
    seed : int
        Of everything random.
    """

    frame: pd.DataFrame
    y: FloatArray
    encoded: Encoding
    groups: IntArray
    seed: int
    fitted: dict[str, Model] = field(default_factory=dict)
    _cache: dict[tuple[str, ...], tuple[pd.DataFrame, FloatArray]] = field(default_factory=dict)

    def matrix(self, families: Sequence[str]) -> tuple[pd.DataFrame, FloatArray]:
        """Terms of the families and their values, computed once."""
        key = tuple(families)
        if key not in self._cache:
            terms = self.encoded.terms(families)
            self._cache[key] = (terms, self.encoded.matrix(self.frame, terms["term"].tolist()))
        return self._cache[key]


Candidate = Callable[[Training], Model]


def weighted_sum(x: FloatArray, weights: FloatArray) -> FloatArray:
    """Sum up columns times their weights, shape (n,).

    Column by column: in the last digit a matrix product depends on which other rows there are and where they lie in
    memory, and a customer's score must not.
    """
    total = np.zeros(len(x))
    for column, weight in zip(x.T, weights.tolist(), strict=True):
        total += column * weight
    return total


def contributions(model: Model, encoded: Encoding, frame: pd.DataFrame) -> tuple[FloatArray, list[str]]:
    """Attribute raw scores to features.

    Returns
    -------
    by_feature : array of shape (n, n_features)
        How far each feature moves the raw score from that of the average customer.
    names : list of str
        The features.
    """
    table = with_features(model, encoded)
    names = list(dict.fromkeys([*table["feature"], *model.nodes["feature"].dropna()]))
    found = np.zeros((len(frame), len(names)))
    if len(table):
        terms = table["term"].tolist()
        means = np.array([encoded.typical[t] for t in terms])
        moved = (encoded.matrix(frame, terms) - means) * table["coefficient"].to_numpy()
        for i, feature in enumerate(table["feature"]):
            found[:, names.index(feature)] += moved[:, i]
    if len(model.nodes):
        found += walk(model.nodes, encoded, frame, by_feature=names)[1]
    return found, names


def with_features(model: Model, encoded: Encoding) -> pd.DataFrame:
    """Add ``feature`` and ``family`` to the terms of a model."""
    return model.terms.merge(encoded.owners, on="term", how="left", sort=False)


def empty_table(columns: dict[str, str]) -> pd.DataFrame:
    """Give a table of these columns (name to dtype) without rows."""
    return pd.DataFrame({name: pd.Series(dtype=kind) for name, kind in columns.items()})


def term_table(
    names: Sequence[str] | pd.Series, w: FloatArray, low: FloatArray | None = None, high: FloatArray | None = None
) -> pd.DataFrame:
    """Table of :data:`TERM_COLUMNS`; without ends of the intervals they are null."""
    none = np.full(len(w), np.nan)
    columns = (list(names), w, none if low is None else low, none if high is None else high)
    return pd.DataFrame(dict(zip(TERM_COLUMNS, columns, strict=True))).astype(TERM_COLUMNS)


def amount_bounds(y: FloatArray) -> tuple[float, float]:
    """Least and largest amount seen."""
    return float(y.min()), float(y.max())
