"""Records grouped into customers: connected components, cut by average linkage."""

import hashlib
from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial.distance import squareform

from crm_mining.common.arrays import BoolArray, FloatArray, IntArray


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
    """Pairs of row numbers, the smaller first; decisions about unknown records are left out."""
    known = [(position.get(x), position.get(y)) for x, y in decisions]
    return {(min(i, j), max(i, j)) for i, j in known if i is not None and j is not None and i != j}


def check_decisions(same: Sequence[tuple[str, str]], different: Sequence[tuple[str, str]]) -> None:
    """Raise where records are decided to be two people and also, directly or through others, one."""
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
