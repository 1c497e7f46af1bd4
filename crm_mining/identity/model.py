"""Record linkage: match weights learned without labels.

The model is that of Fellegi & Sunter (1969, *A theory for record linkage*, JASA 64), its parameters learned by
expectation-maximisation (Dempster, Laird & Rubin 1977; Winkler 1988 for linkage) over the counts of patterns.
Three things are done differently from the textbook, each for a reason:

- Two more classes. Two people of one household agree on last name, address and phone as one person does, and two
  namesakes on their names and on the e-mail made of them. A model of two classes takes both for matches, since it
  assumes that attributes are independent; here each is a class of its own, in which the attributes concerned agree as
  they do there and all others no more than by chance.
- The prior is over all pairs, not over the candidate pairs. Blocking only decides which patterns are seen; what it left
  out counts as unrelated, so the parameters need no correction for the rules that found a pair.
- ``u`` is corrected for the matches among the random pairs, which in a small file with many duplicates are not few.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from crm_mining.common.arrays import FloatArray, IntArray

UNKNOWN = -1
#: How much is known before the data is seen, in pairs.
PRIOR_MATCHES, PRIOR_RANDOM_PAIRS = 5.0, 1000.0
MATCH, HOUSEHOLD, NAMESAKE, UNRELATED = 0, 1, 2, 3


@dataclass(frozen=True)
class LinkageModel:
    """What :func:`fit` learned.

    Parameters
    ----------
    weights : DataFrame
        One row per attribute and level: ``attribute, level, m, h, n, u, is_fixed``. ``m``, ``h``, ``n`` and ``u`` are
        the probabilities of the level among records of one person, of two people of one household, of two namesakes,
        and of unrelated people.
    prior : FloatArray
        Shape (4,): share of all pairs that are of each kind, in this order.
    n_iterations : int
        EM steps taken.
    is_converged : bool
        Whether the parameters stood still before the last allowed step.
    """

    weights: pd.DataFrame
    prior: FloatArray
    n_iterations: int
    is_converged: bool


def fit(
    candidates: pd.DataFrame,
    random_pairs: pd.DataFrame,
    *,
    n_pairs: int,
    n_levels: dict[str, int],
    household: Sequence[str],
    namesake: Sequence[str],
    chance: dict[str, float],
    fixed: pd.DataFrame | None = None,
    max_iterations: int = 200,
    tolerance: float = 1e-6,
) -> LinkageModel:
    """Learn the match weights from pattern counts.

    Parameters
    ----------
    candidates : DataFrame
        One row per comparison pattern of the candidate pairs: a column of integer levels for each attribute (0
        different and rising with agreement, -1 unknown on either side) and ``n_pairs``.
    random_pairs : DataFrame
        The same for pairs drawn at random from all pairs.
    n_pairs : int
        Number of all pairs of records, candidates or not.
    n_levels : dict
        Attribute name to its number of levels.
    household, namesake : sequence of str
        The attributes that people of one household share, and those that namesakes do.
    chance : dict
        How often unrelated people agree completely on each attribute, as assumed before seeing the data. It
        weighs as much as ``PRIOR_RANDOM_PAIRS`` random pairs: nothing in a large file, nearly all in a handful of
        records.
    fixed : DataFrame, optional
        ``attribute, level, m, u``: probabilities fixed by hand; null means learned.
    max_iterations, tolerance
        EM ends when no probability moves by more than ``tolerance``, or after ``max_iterations``.

    Returns
    -------
    LinkageModel

    Raises
    ------
    ValueError
        When an attribute of ``household``, ``namesake`` or ``fixed`` is not one of ``n_levels``, or a level is out of
        its range.
    """
    attributes = list(n_levels)
    _check(attributes, n_levels, [*household, *namesake], fixed)
    for attribute in attributes:
        if not 0 < chance.get(attribute, -1) < 0.2:
            raise ValueError(f"chance of {attribute} must lie between 0 and 0.2; it is {chance.get(attribute)}")
    seen, n_seen = _levels_and_counts(candidates, attributes)
    drawn, n_drawn = _levels_and_counts(random_pairs, attributes)
    n_pairs = max(n_pairs, 1)
    m_before = {a: PRIOR_MATCHES * _rising(n_levels[a]) for a in attributes}
    # That none of the drawn pairs is similar says no more than that fewer than one in their number is: half a pair
    # (Jeffreys 1946). For whole agreement `chance` is better informed.
    u_before = {
        a: np.append(np.maximum(before[:-1], 0.5), before[-1])
        for a, before in ((a, PRIOR_RANDOM_PAIRS * _by_chance(n_levels[a], chance[a])) for a in attributes)
    }
    m = {a: _rising(n_levels[a]) for a in attributes}
    u = {a: _by_chance(n_levels[a], chance[a]) for a in attributes}
    h = {a: m[a] if a in household else u[a] for a in attributes}
    k = {a: m[a] if a in namesake else u[a] for a in attributes}
    start = n_seen.sum() / n_pairs
    prior = np.maximum([min(0.1, 0.2 * start), min(0.05, 0.1 * start), min(0.05, 0.1 * start), 0.0], 1e-15)
    prior[UNRELATED] = 1 - prior[:UNRELATED].sum()
    _apply_fixed(m, u, fixed)
    n_iterations, is_converged = 0, False
    for step in range(1, max_iterations + 1):
        n_iterations = step
        before = np.concatenate([*m.values(), *h.values(), *k.values(), *u.values(), prior])
        weight = _posterior(seen, attributes, (m, h, k, u), prior) * n_seen[:, None]
        unrelated = _posterior(drawn, attributes, (m, h, k, u), prior)[:, UNRELATED] * n_drawn
        for i, a in enumerate(attributes):
            m[a] = _smoothed(seen[:, i], weight[:, MATCH], m_before[a])
            u[a] = _smoothed(drawn[:, i], unrelated, u_before[a])
            h[a] = _smoothed(seen[:, i], weight[:, HOUSEHOLD], m_before[a]) if a in household else u[a]
            k[a] = _smoothed(seen[:, i], weight[:, NAMESAKE], m_before[a]) if a in namesake else u[a]
        _apply_fixed(m, u, fixed)
        # What blocking left out counts as unrelated. A prior of nothing could never grow again.
        prior = np.maximum(weight.sum(axis=0) / n_pairs, 1e-15)
        prior[UNRELATED] = 1 - prior[:UNRELATED].sum()
        after = np.concatenate([*m.values(), *h.values(), *k.values(), *u.values(), prior])
        if np.abs(after - before).max() < tolerance:
            is_converged = True
            break
    return LinkageModel(_table(attributes, n_levels, (m, h, k, u), fixed), prior, n_iterations, is_converged)


def _check(attributes: list[str], n_levels: dict[str, int], shared: Sequence[str], fixed: pd.DataFrame | None) -> None:
    unknown = [a for a in shared if a not in attributes]
    if unknown:
        raise ValueError(f"household or namesake names unknown attributes {unknown}; known are {attributes}")
    for attribute, level, m, u in _by_hand(fixed):
        if attribute not in attributes:
            raise ValueError(f"a fixed weight names the unknown attribute {attribute!r}; known are {attributes}")
        if not 0 <= level < n_levels[attribute]:
            raise ValueError(
                f"a fixed weight of {attribute} has level {level}; allowed: 0 to {n_levels[attribute] - 1}"
            )
        for name, value in (("m", m), ("u", u)):
            if value is not None and not 0 < value < 1:
                raise ValueError(f"a fixed {name} of {attribute} is {value}; it must lie between 0 and 1")


def _by_hand(fixed: pd.DataFrame | None) -> list[tuple[str, int, float | None, float | None]]:
    """Rows of fixed weights as plain values, None where a probability is to be learned."""
    if fixed is None:
        return []
    columns = (fixed[name].tolist() for name in ("attribute", "level", "m", "u"))
    return [
        (str(a), int(n), None if pd.isna(m) else float(m), None if pd.isna(u) else float(u))
        for a, n, m, u in zip(*columns, strict=True)
    ]


def _levels_and_counts(patterns: pd.DataFrame, attributes: list[str]) -> tuple[IntArray, FloatArray]:
    return patterns[attributes].to_numpy(dtype="int64"), patterns["n_pairs"].to_numpy(dtype="float64")


def _smoothed(levels: IntArray, weights: FloatArray, before: FloatArray) -> FloatArray:
    """Share of each level among the known ones, ``before`` being pairs that were seen before the data (Dirichlet)."""
    known = levels != UNKNOWN
    counts = np.bincount(levels[known], weights=weights[known], minlength=len(before)) + before
    return np.asarray(counts / counts.sum(), dtype="float64")


def _by_chance(n_levels: int, chance: float) -> FloatArray:
    """Shares of the levels among unrelated people: whole agreement as given, each partial one three times that."""
    shares = np.full(n_levels, min(3 * chance, 0.2))
    shares[-1] = chance
    shares[0] = 1 - shares[1:].sum()
    return shares


def _rising(n_levels: int) -> FloatArray:
    """Give the start values: nine in ten agree completely, and fewer the more they differ."""
    shares = 0.5 ** np.arange(n_levels)[::-1]
    shares[-1] = 9 * shares[:-1].sum() if n_levels > 1 else 1.0
    return np.asarray(shares / shares.sum(), dtype="float64")


def _posterior(
    levels: IntArray, attributes: list[str], classes: Sequence[dict[str, FloatArray]], prior: FloatArray
) -> FloatArray:
    """Probability of each class given each pattern, shape (n_patterns, n_classes)."""
    log_p = np.tile(np.log(prior), (len(levels), 1))
    for i, a in enumerate(attributes):
        known = levels[:, i] != UNKNOWN
        for c, probabilities in enumerate(classes):
            log_p[known, c] += np.log(probabilities[a][levels[known, i]])
    log_p -= log_p.max(axis=1, keepdims=True) if len(log_p) else 0.0
    p = np.exp(log_p)
    return np.asarray(p / p.sum(axis=1, keepdims=True), dtype="float64")


def _apply_fixed(m: dict[str, FloatArray], u: dict[str, FloatArray], fixed: pd.DataFrame | None) -> None:
    """Put in what a person fixed and let the other levels of the attribute share the rest."""
    for attribute, level, fixed_m, fixed_u in _by_hand(fixed):
        for probabilities, value in ((m, fixed_m), (u, fixed_u)):
            if value is not None:
                p = probabilities[attribute].copy()
                others = np.arange(len(p)) != level
                p[others] *= (1 - value) / p[others].sum()
                p[level] = value
                probabilities[attribute] = p


def _table(
    attributes: list[str],
    n_levels: dict[str, int],
    classes: Sequence[dict[str, FloatArray]],
    fixed: pd.DataFrame | None,
) -> pd.DataFrame:
    by_hand = {(attribute, level) for attribute, level, _, _ in _by_hand(fixed)}
    rows = [
        (a, level, *(float(probabilities[a][level]) for probabilities in classes), (a, level) in by_hand)
        for a in attributes
        for level in range(n_levels[a])
    ]
    return pd.DataFrame(rows, columns=["attribute", "level", "m", "h", "n", "u", "is_fixed"])
