"""Record linkage: match weights learned without labels, a threshold chosen from them, and clusters that hold together.

The model is that of Fellegi & Sunter (1969, *A theory for record linkage*, JASA 64), its parameters learned by
expectation-maximisation (Dempster, Laird & Rubin 1977; Winkler 1988 for linkage) over the counts of patterns.
Three things are done differently from the textbook, each for a reason:

- Two more classes. Two people of one household agree on last name, address and phone as one person does, and two
  namesakes on their names and on the e-mail made of them. A model of two classes takes both for matches, since it holds
  the attributes for independent; here each is a class of its own, in which the attributes concerned agree as they do
  there and all others no more than by chance.
- The prior is over all pairs, not over the candidate pairs. Blocking only decides which patterns are seen; what it left
  out counts as unrelated, so the parameters need no correction for the rules that found a pair.
- ``u`` is corrected for the matches among the random pairs, which in a small file with many duplicates are not few.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import duckdb
import numpy as np
import pandas as pd
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial.distance import squareform

from crm_mining.common.arrays import BoolArray, FloatArray, IntArray

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
        How often unrelated people agree wholly on each attribute, as far as anybody knows before seeing the data. It
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


def choose_threshold(probabilities: FloatArray, n_pairs: FloatArray | None = None) -> float:
    """Choose the probability above which a pair is a match so that the expected F1 is greatest.

    Parameters
    ----------
    probabilities : array of shape (n,)
        Match probabilities of the candidate pairs, or of their patterns.
    n_pairs : array of shape (n,), optional
        How many pairs each stands for; one by default.

    Returns
    -------
    float
        A probability between 0 and 1: taking the pairs at or above it maximises ``2 E[TP] / (n_taken + E[matches])``,
        the model's own estimate of F1 (Lipton, Elkan & Naryanaswamy 2014). 0.5 when there are no pairs.
    """
    if len(probabilities) == 0:
        return 0.5
    counts = np.ones(len(probabilities)) if n_pairs is None else n_pairs
    order = np.argsort(-probabilities, kind="stable")
    sorted_p, sorted_n = probabilities[order], counts[order]
    expected_true = np.cumsum(sorted_p * sorted_n)
    f1 = 2 * expected_true / (np.cumsum(sorted_n) + expected_true[-1])
    return float(sorted_p[int(np.argmax(f1))])


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
    """Shares of the levels among unrelated people: whole agreement as told, each partial one three times that."""
    shares = np.full(n_levels, min(3 * chance, 0.2))
    shares[-1] = chance
    shares[0] = 1 - shares[1:].sum()
    return shares


def _rising(n_levels: int) -> FloatArray:
    """Start from: nine in ten agree wholly, and fewer the more they differ."""
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


def fit_from_tables(
    patterns: duckdb.DuckDBPyRelation,
    records: duckdb.DuckDBPyRelation,
    attributes: duckdb.DuckDBPyRelation,
    fixed: duckdb.DuckDBPyRelation,
) -> pd.DataFrame:
    """Run :func:`fit` on the warehouse's tables.

    Parameters
    ----------
    patterns : relation
        ``pair_kind`` (candidate, random, or crowd: a candidate from which nothing is learned), a level column for each
        attribute, ``n_pairs``.
    records : relation
        One row per record; only counted.
    attributes : relation
        ``attribute, n_levels, is_household, is_namesake, chance``.
    fixed : relation
        ``attribute, level, m, u``; may be empty.

    Returns
    -------
    DataFrame
        ``attribute, level, m, h, n, u, is_fixed, bits, household_bits, namesake_bits``: the weights, the bits being
        ``log2`` of ``m``, ``h`` and ``n`` over ``u``; and a row ``prior`` with the share of all pairs of each kind.
    """
    listed = attributes.order("attribute").df()
    counts = patterns.order(", ".join(["pair_kind", *listed["attribute"]])).df()
    n_records = records.aggregate("count(*)").fetchall()[0][0]
    model = fit(
        counts[counts["pair_kind"] == "candidate"],
        counts[counts["pair_kind"] == "random"],
        n_pairs=n_records * (n_records - 1) // 2,
        n_levels={str(a): int(n) for a, n in zip(listed["attribute"], listed["n_levels"], strict=True)},
        household=[str(a) for a in listed.loc[listed["is_household"].astype(bool), "attribute"]],
        namesake=[str(a) for a in listed.loc[listed["is_namesake"].astype(bool), "attribute"]],
        chance={str(a): float(p) for a, p in zip(listed["attribute"], listed["chance"], strict=True)},
        fixed=fixed.order("attribute, level").df(),
    )
    prior = {"attribute": "prior", "level": 0, "is_fixed": False} | dict(zip("mhnu", model.prior.tolist(), strict=True))
    table = pd.concat([model.weights, pd.DataFrame([prior])], ignore_index=True)
    against_chance = {
        "bits": np.log2(table["m"] / table["u"]),
        "household_bits": np.log2(table["h"] / table["u"]),
        "namesake_bits": np.log2(table["n"] / table["u"]),
    }
    return table.assign(**against_chance)


def cluster(
    records: pd.DataFrame,
    pairs: pd.DataFrame,
    *,
    threshold: float,
    cohesion: float,
    one_birth_date: bool = False,
    same: Sequence[tuple[str, str]] = (),
    different: Sequence[tuple[str, str]] = (),
    max_dense: int = 2000,
) -> pd.DataFrame:
    """Group records into customers.

    Connected components of the pairs at or above the threshold, each then judged as a whole: average linkage (Sokal &
    Michener 1958) joins two groups only while the mean match probability between their records, zero where a pair was
    no candidate, is at least ``cohesion``. So a single bridge between two people does not make them one. And a person
    is born once: with ``one_birth_date``, records whose birth dates no slip of a typist explains are not joined,
    however much else they share.

    Parameters
    ----------
    records : DataFrame
        ``record_id`` (unique), ``created_at`` and ``birth_date`` (text, YYYYMMDD, or missing); the order of rows is
        immaterial.
    pairs : DataFrame
        ``record_a, record_b, match_probability``, each pair once.
    threshold : float
        Probability from which a pair connects two records.
    cohesion : float
        Mean probability from which two groups are one.
    one_birth_date : bool
        Whether birth dates can be relied on so far.
    same, different : sequence of pairs of record ids
        What people decided. ``different`` is never joined, ``same`` always, unless it contradicts a ``different``; a
        decision outweighs birth dates.
    max_dense : int
        Components above this size are first cut by raising the threshold, so that no matrix grows without bound.

    Returns
    -------
    DataFrame
        ``record_id, customer_id, n_records``, ordered by record. The id is a hash of the customer's oldest record (by
        ``created_at``, then key): a function of the set of records alone, whatever the order in which they came.
    """
    known = records.sort_values(["created_at", "record_id"], na_position="last", kind="stable").reset_index(drop=True)
    position = pd.Series(np.arange(len(known)), index=known["record_id"])
    a = position.reindex(pairs["record_a"]).to_numpy(dtype="int64")
    b = position.reindex(pairs["record_b"]).to_numpy(dtype="int64")
    p = pairs["match_probability"].to_numpy(dtype="float64")
    decided = {1.0: _positions(same, position), 0.0: _positions(different, position)}
    a, b, p = _with_decisions(a, b, p, decided)
    born = np.zeros(len(known), dtype="int64")
    if one_birth_date:
        born = pd.to_numeric(known["birth_date"]).fillna(0).to_numpy(dtype="int64")
    label = np.arange(len(known))
    pending = [(threshold, np.arange(len(known)))]
    while pending:
        limit, members = pending.pop()
        for component, inner in _components(members, (a, b, p), born, limit, cohesion, label):
            if len(component) > max_dense and limit < 1 - 1e-9:
                pending.append((1 - (1 - limit) / 2, component))
            else:
                for group in _average_linkage(component, inner, born[component], cohesion):
                    label[group] = group.min()
    oldest = known["record_id"].to_numpy()[label]
    ids = {
        r: "C" + hashlib.md5(r.encode(), usedforsecurity=False).hexdigest()[:16].upper() for r in dict.fromkeys(oldest)
    }
    result = pd.DataFrame({"record_id": known["record_id"], "customer_id": [ids[r] for r in oldest]})
    result = result.astype({"record_id": "str", "customer_id": "str"})  # also where there is no record at all
    result["n_records"] = result.groupby("customer_id")["record_id"].transform("size")
    return result.sort_values("record_id", kind="stable").reset_index(drop=True)


#: Pairs as arrays: the two row numbers, the smaller first, and the probability.
_Edges = tuple[IntArray, IntArray, FloatArray]
#: Probabilities beyond the possible: they outweigh any mean of real ones.
_ALWAYS, _UNLIKELY, _NEVER = 1e6, -1e4, -1e9


def _positions(decisions: Sequence[tuple[str, str]], position: "pd.Series[int]") -> set[tuple[int, int]]:
    """Pairs of row numbers, the smaller first; decisions about records that are not there are void."""
    known = [(position.get(x), position.get(y)) for x, y in decisions]
    return {(min(i, j), max(i, j)) for i, j in known if i is not None and j is not None and i != j}


def _check_decisions(same: Sequence[tuple[str, str]], different: Sequence[tuple[str, str]]) -> None:
    """Raise where records are decided to be two people and also, directly or by way of others, one."""
    people = {record: {record} for pair in same for record in pair}
    for a, b in same:
        together = people[a] | people[b]
        people.update(dict.fromkeys(together, together))
    for a, b in different:
        if b in people.get(a, {a}):
            chain = ", ".join(sorted(people.get(a, {a})))
            raise ValueError(f"identity_overrides contradict: {a} and {b} are different, yet decided the same: {chain}")


def _with_decisions(a: IntArray, b: IntArray, p: FloatArray, decided: dict[float, set[tuple[int, int]]]) -> _Edges:
    """Put the decisions in place of what the pairs said."""
    low, high = np.minimum(a, b), np.maximum(a, b)
    # A pair decided both ways stays apart.
    values = dict.fromkeys(decided[1.0], _ALWAYS) | dict.fromkeys(decided[0.0], _NEVER)
    pairs = np.array(sorted(values), dtype="int64").reshape(-1, 2)
    n = 1 + max(int(high.max(initial=0)), int(pairs.max(initial=0)))
    open_pairs = ~np.isin(low * n + high, pairs[:, 0] * n + pairs[:, 1])
    return (
        np.concatenate([low[open_pairs], pairs[:, 0]]),
        np.concatenate([high[open_pairs], pairs[:, 1]]),
        np.concatenate([p[open_pairs], [values[i, j] for i, j in pairs.tolist()]]),
    )


def _components(
    members: IntArray,
    edges: _Edges,
    born: IntArray,
    limit: float,
    cohesion: float,
    label: IntArray,
) -> Iterator[tuple[IntArray, _Edges]]:
    """Yield the connected components that need judging, each with all the pairs inside it, weak ones too.

    Where every two records are a pair, no pair is below ``cohesion`` and no birth date differs from another, average
    linkage joins them all: those components, nearly all there are, get their ``label`` here, without a tree.
    """
    n = len(members)
    local = np.full(len(label), -1, dtype="int64")
    local[members] = np.arange(n)
    a, b, p = edges
    inside = (local[a] >= 0) & (local[b] >= 0)
    a, b, p = a[inside], b[inside], p[inside]
    strong = p >= limit
    graph = coo_array((np.ones(strong.sum(), dtype="int8"), (local[a[strong]], local[b[strong]])), shape=(n, n))
    n_components, component = connected_components(graph, directed=False)
    within = component[local[a]] == component[local[b]]
    a, b, p = a[within], b[within], p[within]
    of_pair = component[local[a]]
    by_component = np.argsort(of_pair, kind="stable")
    a, b, p, of_pair = a[by_component], b[by_component], p[by_component], of_pair[by_component]
    size = np.bincount(component, minlength=n_components)
    n_pairs = np.bincount(of_pair, minlength=n_components)
    n_weak = np.bincount(of_pair, weights=p < cohesion, minlength=n_components)
    latest_birth, earliest_birth = np.zeros(n_components, dtype="int64"), np.full(n_components, 99999999)
    np.maximum.at(latest_birth, component, born[members])
    np.minimum.at(earliest_birth, component, np.where(born[members] > 0, born[members], 99999999))
    is_whole = (n_pairs == size * (size - 1) // 2) & (n_weak == 0) & (latest_birth <= earliest_birth)
    oldest = np.full(n_components, len(label))
    np.minimum.at(oldest, component, members)
    label[members] = np.where(is_whole[component], oldest[component], members)
    order = np.argsort(component, kind="stable")
    first_member, first_pair = np.cumsum(size) - size, np.cumsum(n_pairs) - n_pairs
    for c in np.flatnonzero(~is_whole):
        rows = members[order[first_member[c] : first_member[c] + size[c]]]
        pairs = slice(first_pair[c], first_pair[c] + n_pairs[c])
        yield np.sort(rows), (a[pairs], b[pairs], p[pairs])


def _contradict(first: IntArray, second: IntArray) -> BoolArray:
    """Whether two birth dates (YYYYMMDD, 0 unknown) are of two people.

    Not so when the year or the day within the year is the same, when day and month are exchanged, or when two digits at
    most differ (two neighbours exchanged are two digits).
    """
    year, month, day = first // 10000, first // 100 % 100, first % 100
    swapped = year * 10000 + day * 100 + month
    digits = sum((first // 10**i % 10 != second // 10**i % 10).astype("int64") for i in range(8))
    return np.asarray(
        (first > 0)
        & (second > 0)
        & (year != second // 10000)
        & (first % 10000 != second % 10000)
        & (swapped != second)
        & (digits > 2)
    )


def _average_linkage(component: IntArray, pairs: _Edges, born: IntArray, cohesion: float) -> list[IntArray]:
    """Cut the average-linkage tree of one component where the mean probability falls below ``cohesion``."""
    n = len(component)
    a, b, p = pairs
    probability = np.where(_contradict(born[:, None], born[None, :]), _UNLIKELY, 0.0)
    i, j = np.searchsorted(component, a), np.searchsorted(component, b)
    is_decided = np.isin(p, (_ALWAYS, _NEVER))
    probability[i, j] = probability[j, i] = np.where((probability[i, j] < 0) & ~is_decided, _UNLIKELY, p)
    distance = 1 - probability
    np.fill_diagonal(distance, 0)
    shift = min(0.0, float(distance.min()))
    tree = linkage(squareform(distance - shift * (1 - np.eye(n)), checks=False), method="average")
    flat = fcluster(tree, t=1 - cohesion - shift + 1e-12, criterion="distance")
    return [component[flat == g] for g in np.unique(flat)]


def resolve(
    records: duckdb.DuckDBPyRelation,
    pairs: duckdb.DuckDBPyRelation,
    weights: duckdb.DuckDBPyRelation,
    overrides: duckdb.DuckDBPyRelation,
    *,
    threshold: str | float,
    cohesion: float,
    max_birth_date_errors: float,
) -> pd.DataFrame:
    """Run :func:`cluster` on the warehouse's tables.

    Parameters
    ----------
    records : relation
        ``record_id, created_at, birth_date`` (a date).
    pairs : relation
        ``record_a, record_b, match_probability`` of all candidate pairs.
    weights : relation
        ``attribute, level, m`` of :func:`fit_from_tables`.
    overrides : relation
        ``record_a, record_b, decision`` (same or different).
    threshold : "auto" or float
        Match threshold; ``auto`` lets :func:`choose_threshold` find it.
    cohesion : float
        See :func:`cluster`.
    max_birth_date_errors : float
        Nobody has two birth dates while at most this share of the matches have (``m`` of level 0 of ``birth_date``):
        where people or clerks invent birth dates, a wrong one is no reason to part a customer.

    Returns
    -------
    DataFrame
        What :func:`cluster` returns, and the ``match_threshold`` used.

    Raises
    ------
    ValueError
        When the threshold is neither ``auto`` nor a number between 0 and 1, one of the others no number between 0 and
        1, or the overrides contradict one another.
    """
    if threshold != "auto" and not 0 <= float(threshold) <= 1:
        raise ValueError(f"match_threshold must be auto or between 0 and 1; it is {threshold!r}")
    for name, value in (("cluster_cohesion", cohesion), ("max_birth_date_errors", max_birth_date_errors)):
        if not 0 <= float(value) <= 1:
            raise ValueError(f"{name} must lie between 0 and 1; it is {value!r}")
    errors = weights.filter("attribute = 'birth_date' and level = 0").aggregate("max(m)").fetchall()[0][0]
    scored = pairs.order("record_a, record_b").df()
    limit = choose_threshold(scored["match_probability"].to_numpy()) if threshold == "auto" else float(threshold)
    decided = overrides.order("record_a, record_b").df()
    by_decision = {
        decision: list(zip(rows["record_a"], rows["record_b"], strict=True))
        for decision, rows in decided.groupby("decision")
    }
    _check_decisions(by_decision.get("same", []), by_decision.get("different", []))
    found = cluster(
        records.project("record_id, created_at, strftime(birth_date, '%Y%m%d') as birth_date").order("record_id").df(),
        scored,
        threshold=limit,
        cohesion=float(cohesion),
        one_birth_date=errors is not None and errors <= float(max_birth_date_errors),
        same=by_decision.get("same", []),
        different=by_decision.get("different", []),
    )
    return found.assign(match_threshold=limit)
