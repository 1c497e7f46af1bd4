"""Match weights are found again in data made from them; clusters keep every record, each decision and their ids."""

from collections.abc import Sequence
from itertools import combinations, pairwise, product

import duckdb
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.cluster import hierarchy

from crm_mining.evaluation.thresholds import choose_threshold
from crm_mining.identity.clusters import cluster
from crm_mining.identity.model import HOUSEHOLD, MATCH, NAMESAKE, UNRELATED, fit
from crm_mining.identity.tables import resolve

Pair = tuple[str, str]
Clusters = dict[str, str]


def ids(n: int) -> list[str]:
    return [f"crm:{i:04d}" for i in range(n)]


def table_of_records(names: Sequence[str], created: Sequence[str | None] | None = None) -> pd.DataFrame:
    """Make records, the first one the oldest by default."""
    dates = pd.to_datetime(list(created)) if created else pd.date_range("2024-01-01", periods=len(names), freq="D")
    return pd.DataFrame(
        {"record_id": pd.Series(names, dtype="str"), "created_at": pd.Series(dates), "birth_date": None}
    )


def table_of_pairs(pairs: dict[Pair, float]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "record_a": pd.Series([a for a, _ in pairs], dtype="str"),
            "record_b": pd.Series([b for _, b in pairs], dtype="str"),
            "match_probability": pd.Series(list(pairs.values()), dtype="float64"),
        }
    )


def clustered(
    records: pd.DataFrame,
    pairs: dict[Pair, float],
    *,
    same: Sequence[Pair] = (),
    different: Sequence[Pair] = (),
    threshold: float = 0.5,
    cohesion: float = 0.5,
    one_birth_date: bool = True,
    max_dense: int = 2000,
) -> Clusters:
    found = cluster(
        records,
        table_of_pairs(pairs),
        threshold=threshold,
        cohesion=cohesion,
        one_birth_date=one_birth_date,
        same=same,
        different=different,
        max_dense=max_dense,
    )
    assert list(found.columns) == ["record_id", "customer_id", "n_records"]
    assert found["record_id"].tolist() == sorted(records["record_id"])
    assert (found["n_records"] == found.groupby("customer_id")["record_id"].transform("size")).all()
    return dict(zip(found["record_id"], found["customer_id"], strict=True))


def partition(clusters: Clusters) -> set[frozenset[str]]:
    return {frozenset(r for r, c in clusters.items() if c == customer) for customer in clusters.values()}


@st.composite
def graphs(draw: st.DrawFn, max_records: int = 25) -> tuple[pd.DataFrame, dict[Pair, float]]:
    """Draw records of random age, some of none, and pairs of random probability; no two means are equal by accident."""
    n = draw(st.integers(2, max_records))
    density = draw(st.sampled_from([0.05, 0.15, 0.4, 1.0]))
    strength = draw(st.sampled_from([0.3, 1.0, 3.0]))
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    names = ids(n)
    created = [None if random.random() < 0.2 else f"2024-01-{day:02d}" for day in random.integers(1, 29, n)]
    pairs = {pair: random.random() ** (1 / strength) for pair in combinations(names, 2) if random.random() < density}
    return table_of_records(names, created), pairs


LATER = pd.Timestamp("2100-01-01")
SETTINGS = settings(deadline=None, max_examples=80)


@SETTINGS
@given(graphs(), st.randoms(use_true_random=False))
def test_the_order_of_records_pairs_and_sides_is_immaterial(graph, random) -> None:
    records, pairs = graph
    swapped = [((b, a) if random.random() < 0.5 else (a, b), p) for (a, b), p in pairs.items()]
    random.shuffle(swapped)
    order = list(range(len(records)))
    random.shuffle(order)
    decisions = [pair for pair, _ in swapped[:6]]
    same, different = decisions[:3], decisions[3:]
    expected = clustered(records, pairs, same=same, different=different)
    flipped = [(b, a) for a, b in reversed(same)], [(b, a) for a, b in reversed(different)]
    shuffled = records.iloc[order].reset_index(drop=True)
    assert clustered(shuffled, dict(swapped), same=flipped[0], different=flipped[1]) == expected


@SETTINGS
@given(graphs())
def test_each_customer_is_named_by_its_oldest_record(graph) -> None:
    records, pairs = graph
    created = dict(zip(records["record_id"], records["created_at"].fillna(LATER), strict=True))
    found = clustered(records, pairs)
    for group in partition(found):
        oldest = min(group, key=lambda record: (created[record], record))
        alone = clustered(records[records["record_id"] == oldest], {})
        assert {found[record] for record in group} == {alone[oldest]}
        assert alone[oldest].startswith("C")


@SETTINGS
@given(graphs(), st.sampled_from([(0.5, 0.5), (0.3, 0.5), (0.2, 0.8)]))
def test_clustering_what_was_clustered_changes_nothing(graph, limits) -> None:
    records, pairs = graph
    threshold, cohesion = limits
    found = clustered(records, pairs, threshold=threshold, cohesion=cohesion)
    inner = {(a, b): p for (a, b), p in pairs.items() if found[a] == found[b]}
    assert clustered(records, inner, threshold=threshold, cohesion=cohesion) == found


@SETTINGS
@given(graphs())
def test_records_of_unconnected_people_are_never_joined_and_sure_pairs_never_parted(graph) -> None:
    records, pairs = graph
    found = clustered(records, pairs, threshold=0.7)
    strong = {pair for pair, p in pairs.items() if p >= 0.7}
    connected = {record: {record} for record in found}
    for a, b in strong:
        if connected[a] is not connected[b]:
            connected[a] |= connected[b]
            for record in connected[b]:
                connected[record] = connected[a]
    for a, b in combinations(found, 2):
        if found[a] == found[b]:
            assert b in connected[a]
    sure = {pair: 1.0 for group in partition(found) for pair in combinations(sorted(group), 2)}
    assert clustered(records, sure) == found


@SETTINGS
@given(graphs())
def test_within_a_customer_the_mean_of_the_pairs_is_no_weaker_than_the_cohesion(graph) -> None:
    records, pairs = graph
    for group in partition(clustered(records, pairs, cohesion=0.6)):
        inside = [pairs.get(pair, 0.0) for pair in combinations(sorted(group), 2)]
        assert not inside or np.mean(inside) >= 0.6 - 1e-9


@SETTINGS
@given(graphs(), st.integers(0, 2**32))
def test_decisions_are_obeyed_however_many(graph, seed: int) -> None:
    records, pairs = graph
    names = records["record_id"].tolist()
    random = np.random.default_rng(seed)
    person = dict(zip(names, random.integers(0, max(2, len(names) // 4), len(names)).tolist(), strict=True))
    decided = [pair for pair in combinations(names, 2) if random.random() < 0.3]
    same = [(a, b) for a, b in decided if person[a] == person[b]]
    different = [(a, b) for a, b in decided if person[a] != person[b]]
    found = clustered(records, pairs, same=same, different=different)
    assert [pair for pair in different if found[pair[0]] == found[pair[1]]] == []
    assert [pair for pair in same if found[pair[0]] != found[pair[1]]] == []


def test_one_decision_beats_a_chain_of_any_strength() -> None:
    names = ids(40)
    records = table_of_records(names)
    chain = list(pairwise(names))
    assert len(set(clustered(records, {}, same=chain).values())) == 1
    everything = dict.fromkeys(combinations(names, 2), 1.0)
    parted = clustered(records, everything, different=[(names[0], names[39])])
    assert parted[names[0]] != parted[names[39]]
    assert len(set(parted.values())) == 2


def test_different_outweighs_same_where_they_contradict() -> None:
    records = table_of_records(["a", "b", "c"])
    assert len(set(clustered(records, {}, same=[("a", "b")], different=[("b", "a")]).values())) == 3
    around = clustered(records, {}, same=[("a", "b"), ("b", "c")], different=[("a", "c")])
    assert around["a"] != around["c"]
    assert len(set(around.values())) == 2


def test_decisions_about_records_that_are_not_there_are_void() -> None:
    records = table_of_records(["a", "b"])
    plain = clustered(records, {("a", "b"): 0.9})
    assert clustered(records, {("a", "b"): 0.9}, same=[("a", "z")], different=[("z", "b"), ("a", "a")]) == plain


@pytest.mark.parametrize(("probability", "length"), [(0.6, 6), (0.99, 12), (1.0, 50)])
def test_a_chain_of_bridges_is_not_one_customer(probability: float, length: int) -> None:
    names = ids(length)
    found = clustered(table_of_records(names), dict.fromkeys(pairwise(names), probability))
    assert max(len(group) for group in partition(found)) <= 3


def test_a_single_bridge_does_not_join_two_groups() -> None:
    left, right = ids(8)[:4], ids(8)[4:]
    pairs = dict.fromkeys([*combinations(left, 2), *combinations(right, 2)], 0.95) | {(left[0], right[0]): 0.9}
    assert partition(clustered(table_of_records([*left, *right]), pairs)) == {frozenset(left), frozenset(right)}


def test_a_record_that_joins_two_customers_takes_the_older_id_and_leaves_others_alone() -> None:
    created = ["2024-01-05", "2024-01-02", "2024-01-01", "2024-01-09"]
    records = table_of_records(["a", "b", "other", "new"], created)
    before = clustered(records.iloc[:3], {})
    after = clustered(records, {("a", "new"): 0.9, ("b", "new"): 0.9, ("a", "b"): 0.4})
    assert {after["a"], after["b"], after["new"]} == {before["b"]}
    assert after["other"] == before["other"]


@SETTINGS
@given(graphs(max_records=15), st.integers(1, 14))
def test_ids_do_not_depend_on_the_other_records(graph, cut: int) -> None:
    records, pairs = graph
    few = records.iloc[:cut]
    kept = set(few["record_id"])
    inside = {pair: p for pair, p in pairs.items() if kept.issuperset(pair)}
    apart = {pair: p for pair, p in pairs.items() if kept.issuperset(pair) or not kept.intersection(pair)}
    alone, among = clustered(few, inside), clustered(records, apart)
    assert {record: among[record] for record in kept} == alone


def test_a_component_above_the_limit_is_cut_where_it_is_weakest(monkeypatch: pytest.MonkeyPatch) -> None:
    groups = [ids(60)[start : start + 5] for start in range(0, 60, 5)]
    pairs = {pair: 0.999 for group in groups for pair in combinations(group, 2)}
    pairs |= {(a[0], b[0]): 0.6 for a, b in combinations(groups, 2)}
    records = table_of_records([name for group in groups for name in group])
    sizes: list[int] = []

    def counting(distances: np.ndarray, method: str) -> np.ndarray:
        sizes.append(len(distances))
        return hierarchy.linkage(distances, method=method)

    monkeypatch.setattr("crm_mining.identity.clusters.linkage", counting)
    found = clustered(records, pairs, max_dense=10)
    assert max(sizes, default=0) <= 10 * 9 / 2
    assert partition(found) == {frozenset(group) for group in groups}
    assert found == clustered(records, pairs)
    assert max(sizes) == 60 * 59 / 2


def test_a_component_that_no_threshold_cuts_keeps_every_record() -> None:
    names = ids(30)
    sure = dict.fromkeys(combinations(names, 2), 1.0)
    assert len(set(clustered(table_of_records(names), sure, max_dense=5).values())) == 1


@pytest.mark.parametrize(
    ("first", "second", "is_one"),
    [
        ("19840704", "19511127", False),
        ("19840704", None, True),
        ("19840704", "19840704", True),
        ("19840704", "19840407", True),
        ("19840704", "19840803", True),
        ("19840704", "19480704", True),
        ("19840704", "19830714", True),
    ],
)
def test_a_person_is_born_once_but_clerks_slip(first: str, second: str | None, is_one: bool) -> None:
    records = table_of_records(["a", "b"]).assign(birth_date=pd.Series([first, second], dtype="str"))
    sure = {("a", "b"): 1.0}
    assert (len(set(clustered(records, sure, one_birth_date=True).values())) == 1) == is_one
    assert len(set(clustered(records, {}, same=[("a", "b")], one_birth_date=True).values())) == 1
    assert len(set(clustered(records, sure, one_birth_date=False).values())) == 1


@pytest.mark.parametrize("n", [0, 1, 2])
def test_few_records_and_no_pairs(n: int) -> None:
    assert len(set(clustered(table_of_records(ids(n)), {}).values())) == n


# The weights


LEVELS = {"first": 3, "last": 3, "birth": 3, "mail": 2, "phone": 2, "street": 3, "place": 2}
SHARED = {HOUSEHOLD: ["last", "phone", "street", "place"], NAMESAKE: ["first", "last", "mail"]}
CHANCE = {"first": 0.01, "last": 0.01, "birth": 0.002, "mail": 0.001, "phone": 0.001, "street": 0.001, "place": 0.02}
AGREEING = {
    "first": [0.02, 0.13, 0.85],
    "last": [0.03, 0.07, 0.9],
    "birth": [0.01, 0.04, 0.95],
    "mail": [0.3, 0.7],
    "phone": [0.2, 0.8],
    "street": [0.1, 0.2, 0.7],
    "place": [0.1, 0.9],
}
BY_CHANCE = {
    "first": [0.93, 0.05, 0.02],
    "last": [0.96, 0.03, 0.01],
    "birth": [0.979, 0.02, 0.001],
    "mail": [0.999, 0.001],
    "phone": [0.998, 0.002],
    "street": [0.985, 0.012, 0.003],
    "place": [0.97, 0.03],
}
PRIOR = np.array([5e-4, 3e-4, 2e-4, 0.999])
N_PAIRS = 20_000_000


def mixture() -> tuple[pd.DataFrame, np.ndarray]:
    """All patterns of levels, and how probable each is in each class."""
    patterns = pd.DataFrame(product(*(range(n) for n in LEVELS.values())), columns=list(LEVELS))
    probable = np.ones((len(patterns), 4))
    for kind in (MATCH, HOUSEHOLD, NAMESAKE, UNRELATED):
        for attribute in LEVELS:
            agrees = kind == MATCH or attribute in SHARED.get(kind, [])
            probable[:, kind] *= np.array((AGREEING if agrees else BY_CHANCE)[attribute])[patterns[attribute]]
    return patterns, probable


def learned(candidates: pd.DataFrame, random_pairs: pd.DataFrame, **changes):
    options = {
        "n_pairs": N_PAIRS,
        "n_levels": LEVELS,
        "household": SHARED[HOUSEHOLD],
        "namesake": SHARED[NAMESAKE],
        "chance": CHANCE,
    }
    return fit(candidates, random_pairs, **(options | changes))


def column(model, name: str, attribute: str) -> list[float]:
    rows = model.weights[model.weights["attribute"] == attribute].sort_values("level")
    return rows[name].tolist()


@pytest.mark.parametrize("unknown_share", [0.0, 0.3])
def test_parameters_are_found_again_in_what_they_made(unknown_share: float) -> None:
    patterns, probable = mixture()
    share = probable @ PRIOR
    random_pairs = patterns.assign(n_pairs=share * 1_000_000)
    # As blocking does: only pairs that agree on something are seen.
    is_candidate = (patterns.to_numpy() == np.array([n - 1 for n in LEVELS.values()])).any(axis=1)
    candidates = patterns[is_candidate].assign(n_pairs=share[is_candidate] * N_PAIRS)
    if unknown_share:
        hidden = candidates.assign(birth=-1, n_pairs=candidates["n_pairs"] * unknown_share)
        candidates = pd.concat([candidates.assign(n_pairs=candidates["n_pairs"] * (1 - unknown_share)), hidden])
    model = learned(candidates, random_pairs)
    assert model.is_converged
    assert model.prior.sum() == pytest.approx(1)
    assert model.prior[:UNRELATED] == pytest.approx(PRIOR[:UNRELATED], rel=0.05)
    for attribute in LEVELS:
        assert column(model, "m", attribute) == pytest.approx(AGREEING[attribute], abs=0.002)
        assert column(model, "u", attribute) == pytest.approx(BY_CHANCE[attribute], rel=0.005)
        household = AGREEING if attribute in SHARED[HOUSEHOLD] else BY_CHANCE
        namesake = AGREEING if attribute in SHARED[NAMESAKE] else BY_CHANCE
        assert column(model, "h", attribute) == pytest.approx(household[attribute], abs=0.005)
        assert column(model, "n", attribute) == pytest.approx(namesake[attribute], abs=0.025)


def test_fixed_weights_are_kept_and_the_others_share_the_rest() -> None:
    patterns, probable = mixture()
    share = probable @ PRIOR
    fixed = pd.DataFrame(
        [("mail", 1, 0.6, None), ("birth", 2, None, 0.004)], columns=["attribute", "level", "m", "u"]
    ).astype({"m": "float64", "u": "float64"})
    model = learned(patterns.assign(n_pairs=share * N_PAIRS), patterns.assign(n_pairs=share * 1_000_000), fixed=fixed)
    assert column(model, "m", "mail") == pytest.approx([0.4, 0.6])
    assert column(model, "u", "birth")[2] == pytest.approx(0.004)
    assert column(model, "m", "birth") == pytest.approx(AGREEING["birth"], abs=0.02)
    sums = model.weights.groupby("attribute")[["m", "h", "n", "u"]].sum()
    assert sums.to_numpy() == pytest.approx(1)
    by_hand = model.weights.loc[model.weights["is_fixed"], ["attribute", "level"]]
    assert sorted(by_hand.itertuples(index=False, name=None)) == [("birth", 2), ("mail", 1)]


@pytest.mark.parametrize("n_pairs", [0, 1, 1000])
def test_without_a_pair_the_weights_are_finite_and_agreement_speaks_for_a_match(n_pairs: int) -> None:
    nothing = mixture()[0].head(0).assign(n_pairs=pd.Series(dtype="int64"))
    model = learned(nothing, nothing, n_pairs=n_pairs)
    numbers = model.weights[["m", "h", "n", "u"]].to_numpy()
    assert ((numbers > 0) & (numbers < 1)).all()
    assert np.isfinite(model.prior).all()
    for attribute in LEVELS:
        ratios = np.array(column(model, "m", attribute)) / np.array(column(model, "u", attribute))
        assert ratios[0] < 1 < ratios[-1]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"household": ["phone", "dog"]}, r"unknown attributes \['dog'\]; known are \['first', 'last'"),
        ({"namesake": ["cat"]}, r"unknown attributes \['cat'\]"),
        ({"chance": CHANCE | {"mail": 0.2}}, "chance of mail must lie between 0 and 0.2; it is 0.2"),
        ({"chance": CHANCE | {"mail": 0}}, "chance of mail must lie between 0 and 0.2; it is 0"),
        ({"chance": {"first": 0.01, "last": 0.01}}, "chance of birth must lie between 0 and 0.2; it is None"),
        ({"fixed": ("dog", 0, 0.5, 0.5)}, "unknown attribute 'dog'; known are"),
        ({"fixed": ("mail", 2, 0.5, 0.5)}, "fixed weight of mail has level 2; allowed: 0 to 1"),
        ({"fixed": ("mail", -1, 0.5, 0.5)}, "fixed weight of mail has level -1"),
        ({"fixed": ("mail", 1, 1.0, 0.5)}, "fixed m of mail is 1.0; it must lie between 0 and 1"),
        ({"fixed": ("mail", 1, None, 0.0)}, "fixed u of mail is 0.0; it must lie between 0 and 1"),
    ],
)
def test_wrong_parameters_are_named(changes: dict, message: str) -> None:
    nothing = mixture()[0].head(0).assign(n_pairs=pd.Series(dtype="int64"))
    if "fixed" in changes:
        changes = {"fixed": pd.DataFrame([changes["fixed"]], columns=["attribute", "level", "m", "u"])}
    with pytest.raises(ValueError, match=message):
        learned(nothing, nothing, **changes)


# The threshold


def expected_f1(probabilities: np.ndarray, counts: np.ndarray, threshold: float) -> float:
    taken = probabilities >= threshold
    true = float((probabilities * counts).sum())
    return 2 * float((probabilities * counts)[taken].sum()) / (float(counts[taken].sum()) + true)


@settings(deadline=None, max_examples=200)
@given(st.lists(st.tuples(st.floats(0.001, 1), st.integers(1, 50)), min_size=1, max_size=40))
def test_no_threshold_is_expected_to_do_better(pairs: list[tuple[float, int]]) -> None:
    probabilities = np.array([p for p, _ in pairs])
    counts = np.array([n for _, n in pairs], dtype="float64")
    best = max(expected_f1(probabilities, counts, threshold) for threshold in [*probabilities.tolist(), 1.1])
    chosen = choose_threshold(probabilities, counts)
    assert expected_f1(probabilities, counts, chosen) == pytest.approx(best, rel=1e-9)
    repeated = np.repeat(probabilities, counts.astype("int64"))
    assert expected_f1(probabilities, counts, choose_threshold(repeated)) == pytest.approx(best, rel=1e-9)


def test_without_pairs_the_threshold_is_a_half() -> None:
    assert choose_threshold(np.array([])) == 0.5


def test_resolve_reads_tables_and_names_a_wrong_limit() -> None:
    with duckdb.connect() as con:
        records = con.sql(
            """select 'r' || i as record_id, timestamp '2024-01-01' + to_days(i::int) as created_at,
            null::date as birth_date from range(4) as t (i)"""
        )
        pairs = con.sql(
            "select * from (values ('r0', 'r1', 0.99), ('r2', 'r3', 0.98)) as p (record_a, record_b, match_probability)"
        )
        weights = con.sql("select 'birth_date' as attribute, 0 as level, 0.02 as m")
        overrides = con.sql(
            "select * from (values ('r3', 'r2', 'different'), ('r1', 'r2', 'same')) as o (record_a, record_b, decision)"
        )

        def resolved(**changes: float | str) -> pd.DataFrame:
            options = {"threshold": "auto", "cohesion": 0.5, "max_birth_date_errors": 0.1} | changes
            return resolve(records, pairs, weights, overrides, **options)

        found = resolved(threshold=0.7).set_index("record_id")
        assert found["match_threshold"].tolist() == [0.7] * 4
        assert found.loc["r1", "customer_id"] == found.loc["r2", "customer_id"] != found.loc["r3", "customer_id"]
        assert resolved()["match_threshold"].tolist() == [0.98] * 4
        with pytest.raises(ValueError, match=r"match_threshold must be auto or between 0 and 1; it is 1\.5"):
            resolved(threshold=1.5)
        with pytest.raises(ValueError, match="cluster_cohesion must lie between 0 and 1; it is -1"):
            resolved(cohesion=-1)
        with pytest.raises(ValueError, match="max_birth_date_errors must lie between 0 and 1; it is 2"):
            resolved(max_birth_date_errors=2)
        overrides = con.sql(
            """select * from (values ('r1', 'r2', 'same'), ('r3', 'r2', 'same'), ('r1', 'r3', 'different'))
            as o (record_a, record_b, decision)"""
        )
        with pytest.raises(ValueError, match="contradict: r1 and r3 are different, yet decided the same: r1, r2, r3"):
            resolved()
