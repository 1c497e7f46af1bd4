"""Frequent itemsets and rules: equal to mlxtend's, published figures, refusals, chance not taken for a rule."""

import os
import tracemalloc
from collections.abc import Iterable
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mlxtend.frequent_patterns import apriori, fpgrowth
from mlxtend.frequent_patterns import association_rules as rules_of
from scipy.stats import fisher_exact

from crm_mining.baskets.itemsets import (
    Baskets,
    Itemsets,
    SupportTooLowError,
    count_itemsets,
    frequent_itemsets,
    read_baskets,
)
from crm_mining.baskets.rules import (
    association_rules,
    independence_p,
    itemsets_from_tables,
    later_baskets,
    n_tests,
    q_values,
    rules_from_tables,
)

PROJECT = Path(__file__).resolve().parents[3]
REFERENCE_DATA = Path(os.environ.get("CRM_REFERENCE_DATA") or PROJECT.parent / "shared" / "data")
GROCERIES = REFERENCE_DATA / "groceries" / "groceries.csv"
needs_reference_data = pytest.mark.skipif(
    not GROCERIES.is_file(), reason=f"no reference data: {GROCERIES} (set CRM_REFERENCE_DATA)"
)


def _numbered(baskets: Iterable[Iterable[int]], n_items: int) -> Baskets:
    """Baskets of item numbers, without the way through SQL."""
    rows = sorted({(basket, item) for basket, items in enumerate(baskets) for item in items})
    basket, item = np.array(rows, dtype=np.int64).reshape(-1, 2).T
    n_baskets = len(set(basket.tolist()))
    return Baskets([f"{item:05d}" for item in range(n_items)], basket, item, n_baskets)


def _as_dict(found: Itemsets) -> dict[frozenset[int], int]:
    return {
        frozenset(row): count
        for items, counts in zip(found.items, found.counts, strict=True)
        for row, count in zip(items.tolist(), counts.tolist(), strict=True)
    }


def _one_hot(baskets: list[list[int]], n_items: int) -> pd.DataFrame:
    frame = np.zeros((len(baskets), n_items), dtype=bool)
    for at, items in enumerate(baskets):
        frame[at, items] = True
    return pd.DataFrame(frame)


@pytest.fixture(scope="module")
def groceries() -> Baskets:
    lines = [line.split(",") for line in GROCERIES.read_text(encoding="utf-8").splitlines()]
    rows = pd.DataFrame(
        [(basket, item) for basket, items in enumerate(lines) for item in items], columns=["basket_id", "item_id"]
    )
    return read_baskets(duckdb.from_df(rows))


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.lists(st.integers(0, 8), min_size=1, max_size=9), min_size=1, max_size=80),
    st.floats(0.02, 0.9),
    st.integers(1, 6),
)
def test_itemsets_equal_mlxtends(baskets: list[list[int]], min_support: float, max_length: int) -> None:
    found = frequent_itemsets(_numbered(baskets, 9), min_support=min_support, max_length=max_length)
    expected = apriori(_one_hot(baskets, 9), min_support=min_support, max_len=max_length)
    counts = {
        frozenset(items): round(support * len(baskets))
        for items, support in zip(expected["itemsets"], expected["support"], strict=True)
    }
    assert _as_dict(found) == counts


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 500), st.integers(2, 60), st.integers(1, 20), st.integers(2, 5))
def test_itemsets_of_many_baskets_equal_fpgrowths(
    seed: int, n_baskets: int, n_items: int, min_count: int, max_length: int
) -> None:
    """More baskets than a word has bits, more items than a basket holds."""
    draw = np.random.default_rng(seed)
    popularity = draw.dirichlet(np.full(n_items, 0.5))
    sizes = draw.integers(1, min(8, n_items) + 1, n_baskets)
    baskets = [draw.choice(n_items, size, p=popularity).tolist() for size in sizes]
    # Between two counts, where fpgrowth's rounding can't matter.
    min_support = min((min_count - 0.5) / n_baskets, 1.0)
    found = frequent_itemsets(_numbered(baskets, n_items), min_support=min_support, max_length=max_length)
    expected = fpgrowth(_one_hot(baskets, n_items), min_support=min_support, max_len=max_length)
    counts = {
        frozenset(items): round(support * n_baskets)
        for items, support in zip(expected["itemsets"], expected["support"], strict=True)
    }
    assert _as_dict(found) == counts
    again = count_itemsets(_numbered(baskets, n_items), found.item_ids, found.items)
    assert [part.tolist() for part in again] == [part.tolist() for part in found.counts]


def test_small_steps_find_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    draw = np.random.default_rng(5)
    baskets = _numbered([draw.choice(30, 14, p=np.arange(30, 0, -1) / 465).tolist() for _ in range(700)], 30)
    expected = _as_dict(frequent_itemsets(baskets, min_support=0.02, max_length=5))
    assert max(len(items) for items in expected) == 5
    monkeypatch.setattr("crm_mining.baskets.itemsets._STEP_BYTES", 2000)
    found = frequent_itemsets(baskets, min_support=0.02, max_length=5)
    assert _as_dict(found) == expected
    again = count_itemsets(baskets, found.item_ids, found.items)
    assert [part.tolist() for part in again] == [part.tolist() for part in found.counts]


@needs_reference_data
@pytest.mark.parametrize(("support", "n_sets"), [(0.01, 333), (0.006, 747), (0.001, 13_492)])
def test_groceries_has_the_published_itemsets(groceries: Baskets, support: float, n_sets: int) -> None:
    assert (groceries.n_baskets, len(groceries.item_ids)) == (9835, 169)
    assert frequent_itemsets(groceries, min_support=support, max_length=10).n_sets == n_sets


@needs_reference_data
@pytest.mark.parametrize(
    ("support", "confidence", "n_one_right", "n_any"), [(0.006, 0.25, 463, 467), (0.001, 0.5, 5668, 5829)]
)
def test_groceries_has_the_published_rules(
    groceries: Baskets, support: float, confidence: float, n_one_right: int, n_any: int
) -> None:
    found = frequent_itemsets(groceries, min_support=support, max_length=10)
    rules = association_rules(found, min_confidence=confidence, max_right=10)
    assert len(rules) == n_any
    one_right = association_rules(found, min_confidence=confidence, max_right=1)
    assert len(one_right) == n_one_right
    assert rules["consequent"].map(len).eq(1).sum() == n_one_right
    assert not np.isinf(rules.select_dtypes("number").to_numpy()).any()
    assert rules.drop(columns="conviction").notna().all(axis=None)
    assert (rules["conviction"].isna() == (rules["n_baskets"] == rules["n_antecedent"])).all()


@settings(max_examples=40, deadline=None)
@given(st.lists(st.lists(st.integers(0, 5), min_size=1, max_size=6), min_size=1, max_size=40), st.floats(0.01, 1))
def test_measures_are_mlxtends_and_tests_are_scipys(baskets: list[list[int]], min_confidence: float) -> None:
    found = frequent_itemsets(_numbered(baskets, 6), min_support=0.05, max_length=4)
    rules = association_rules(found, min_confidence=min_confidence, max_right=4)
    sets = apriori(_one_hot(baskets, 6), min_support=0.05, max_len=4)
    with np.errstate(all="ignore"):
        expected = rules_of(sets, min_threshold=min_confidence * (1 - 1e-9))
    assert len(rules) == len(expected)
    keyed = {
        (tuple(sorted(row["antecedents"])), tuple(sorted(row["consequents"]))): row
        for row in expected.to_dict("records")
    }
    for row in rules.to_dict("records"):
        other = keyed[row["antecedent"], row["consequent"]]
        for name in ("support", "confidence", "lift", "leverage", "zhangs_metric", "jaccard", "certainty"):
            assert row[name] == pytest.approx(other[name], abs=1e-12)
        n, both, left, right = len(baskets), row["n_baskets"], row["n_antecedent"], row["n_consequent"]
        table = [[both, left - both], [right - both, n - left - right + both]]
        assert row["p_value"] == pytest.approx(fisher_exact(table, alternative="greater")[1], abs=1e-9)


def test_q_values_are_benjamini_hochbergs_and_count_all_tests() -> None:
    p = np.array([0.005, 0.009, 0.05, 0.1, 0.2, 0.3])
    assert q_values(p, 6) == pytest.approx([0.027, 0.027, 0.1, 0.15, 0.24, 0.3])
    assert q_values(p, 60) == pytest.approx(np.minimum(10 * q_values(p, 6), 1))
    found = Itemsets(["a", "b", "c"], 9, 1, n_candidates=[3, 3, 1])
    assert n_tests(found, 1) == 3 * 2 + 1 * 3
    assert n_tests(found, 2) == 3 * 2 + 1 * 6


def test_a_longer_rule_that_adds_nothing_is_redundant() -> None:
    """Half of the baskets with 0 hold 1, whether or not they hold 2; with 3 and 4 together nearly all hold 5."""
    draw = np.random.default_rng(3)
    baskets = []
    for _ in range(4000):
        held = draw.random(6) < [0.3, 0.05, 0.3, 0.3, 0.3, 0.05]
        held[1] |= held[0] and draw.random() < 0.5
        held[5] |= held[3] and held[4] and draw.random() < 0.9
        baskets.append([*np.flatnonzero(held).tolist(), 6])
    found = frequent_itemsets(_numbered(baskets, 7), min_support=0.01, max_length=3)
    rules = association_rules(found, min_confidence=0.2, max_right=1).set_index(["antecedent", "consequent"])
    assert not rules.loc[((0,), (1,)), "is_redundant"]
    assert rules.loc[((0, 2), (1,)), "is_redundant"]
    assert rules.loc[((3, 4), (5,)), "improvement"] > 0.5
    assert not rules.loc[((3, 4), (5,)), "is_redundant"]


def test_later_baskets_confirm_what_is_so_and_not_what_was() -> None:
    earlier = _numbered([[0, 1], [0, 1], [2, 3], [2, 3], [4], [5]] * 20, 6)
    later = read_baskets(
        duckdb.sql("""
            select basket_id, unnest(case basket_id % 4 when 0 then ['00000', '00001'] when 1 then ['00002', 'new']
                when 2 then ['00003'] else ['00004'] end) as item_id
            from (select unnest(range(80)) as basket_id)
        """)
    )
    rules = association_rules(
        frequent_itemsets(earlier, min_support=0.1, max_length=2), min_confidence=0.5, max_right=1
    )
    looked_at = later_baskets(rules, earlier.item_ids, later).set_index(rules["antecedent"])
    assert looked_at.loc[[(0,)], "holdout_lift"].tolist() == [4.0]
    assert looked_at.loc[[(2,)], "holdout_n_antecedent"].tolist() == [20]
    assert looked_at["is_confirmed"].tolist() == [True, True, False, False]
    none = later_baskets(rules, earlier.item_ids, _numbered([], 0))
    assert none["is_confirmed"].isna().all()
    assert none["holdout_confidence"].isna().all()


@pytest.mark.parametrize("seed", range(2))
def test_permuted_baskets_leave_no_rules(seed: int) -> None:
    """Sizes of the baskets and popularity of the items stay; who goes with whom is by chance."""
    draw = np.random.default_rng(seed)
    popularity = draw.dirichlet(np.full(60, 0.6))
    baskets = [
        np.unique(
            np.append(draw.choice(60, draw.integers(1, 7), p=popularity), [50, 51] if draw.random() < 0.02 else [])
        )
        for _ in range(3000)
    ]
    planted = _numbered(([int(item) for item in items] for items in baskets), 60)
    permuted = Baskets(planted.item_ids, planted.basket, _swapped(planted, draw), planted.n_baskets)
    n_significant = []
    for data in (planted, permuted):
        found = frequent_itemsets(data, min_support=0.002, max_length=4)
        rules = association_rules(found, min_confidence=0.05, max_right=1)
        n_significant.append(int((rules["q_value"] < 0.05).sum()))
        assert len(rules) > 100
    assert n_significant[0] >= 2
    assert n_significant[1] <= 0.05 * len(rules)


def _swapped(baskets: Baskets, draw: np.random.Generator) -> np.ndarray:
    """Exchange items of pairs of baskets where neither has the other's, so that all margins stay."""
    held = [set(items) for items in np.split(baskets.item, np.flatnonzero(np.diff(baskets.basket)) + 1)]
    for _ in range(4 * len(baskets.item)):
        one, other = draw.integers(0, len(held), 2)
        give, take = sorted(held[one] - held[other]), sorted(held[other] - held[one])
        if give and take:
            mine, yours = give[draw.integers(len(give))], take[draw.integers(len(take))]
            held[one] = held[one] - {mine} | {yours}
            held[other] = held[other] - {yours} | {mine}
    return np.concatenate([np.sort(list(items)) for items in held])


def test_a_support_too_low_is_refused_with_what_it_would_cost() -> None:
    draw = np.random.default_rng(1)
    dense = _numbered((np.flatnonzero(draw.random(40) < 0.6).tolist() for _ in range(300)), 40)
    with pytest.raises(
        SupportTooLowError, match=r"frequent itemsets; max_itemsets allows 5,000\. Raise min_support above 0\.0"
    ):
        frequent_itemsets(dense, min_support=0.02, max_length=12, max_itemsets=5000)


def test_work_of_hours_is_refused_before_it_is_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    baskets = _numbered([range(50)] * 10, 50)
    monkeypatch.setattr("crm_mining.baskets.itemsets._MAX_SECONDS", 1e-5)
    with pytest.raises(SupportTooLowError, match="12,250 pairs of items"):
        frequent_itemsets(baskets, min_support=0.5, max_length=3)
    monkeypatch.setattr("crm_mining.baskets.itemsets._PAIRS_PER_SECOND", 1e12)
    with pytest.raises(SupportTooLowError, match="19,600 sets of three items"):
        frequent_itemsets(baskets, min_support=0.5, max_length=3)


def test_memory_does_not_hang_on_the_number_of_products() -> None:
    """A frame of 20,000 baskets by 5,000 products would hold 100 MB as bytes, and mlxtend's several of them."""
    draw = np.random.default_rng(2)
    baskets = _numbered((draw.integers(0, 5000, 6).tolist() for _ in range(20_000)), 5000)
    tracemalloc.start()
    found = frequent_itemsets(baskets, min_support=0.0002, max_length=3)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(found.counts[0]) > 4900
    assert peak < 80 * 2**20


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"min_support": 0}, "min_support is 0; allowed: above 0, at most 1"),
        ({"min_support": 1.5}, "min_support is 1.5"),
        ({"max_length": 0}, "max_length is 0; allowed: 1 or more"),
    ],
)
def test_impossible_options_are_named(options: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        frequent_itemsets(_numbered([[0]], 1), **{"min_support": 0.1, "max_length": 2, **options})


OPTIONS = """select 'R' as rule_set, 0.5::double as min_support, 1 as min_baskets, 3 as max_length, 1 as max_right,
    {max_itemsets} as max_itemsets, 0.5::double as min_confidence"""
ITEMS = "select 'R' as rule_set, unnest({baskets}) as basket_id, unnest({items}) as item_id, {is_holdout} as is_holdout"


@pytest.mark.parametrize(
    ("baskets", "items", "is_holdout", "max_itemsets", "status", "n_rules"),
    [
        ("[]::int[]", "[]::text[]", "false", 99, "no_baskets", 0),
        ("[1]", "[null]::text[]", "false", 99, "no_baskets", 0),
        ("[1, 2]", "['a', 'b']", "true", 99, "no_baskets", 0),
        ("[1]", "['a']", "false", 99, "mined", 0),
        ("[1, 1, 1, null]", "['a', 'a', 'b', 'a']", "false", 99, "mined", 2),
        ("[1, 2]", "['a', 'a']", "false", 99, "mined", 0),
        ("[1, 2, 3, 4]", "['a', 'b', 'c', 'd']", "false", 99, "no_itemsets", 0),
        ("[1, 1, 1, 1]", "['a', 'b', 'c', 'd']", "false", 9, "refused", 0),
    ],
)
def test_bad_input_gets_a_status(
    baskets: str, items: str, is_holdout: str, max_itemsets: int, status: str, n_rules: int
) -> None:
    lines = duckdb.sql(ITEMS.format(baskets=baskets, items=items, is_holdout=is_holdout))
    options = duckdb.sql(OPTIONS.format(max_itemsets=max_itemsets))
    itemsets = itemsets_from_tables(lines, options)
    assert set(itemsets["status"].to_pylist()) == {status}
    assert (status == "mined") == all(itemsets["n_items"].to_pylist())
    rules = rules_from_tables(duckdb.from_arrow(itemsets), lines, options)
    assert rules.num_rows == n_rules


def test_p_values_are_numbers_whatever_the_counts() -> None:
    n = np.array([0, 0, 5, 10**6, 10**6])
    p = independence_p(
        np.array([0, 0, 5, 999, 5000]), np.array([0, 3, 5, 1000, 5000]), np.array([0, 0, 5, 10**5, 5000]), n
    )
    assert np.isfinite(p).all()
    assert p[0] == p[1] == p[2] == 1
    assert 0 <= p[4] <= p[3] < 1e-100
