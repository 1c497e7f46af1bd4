"""Association rules of frequent itemsets: how strong, how sure, what adds nothing, what later baskets say.

Rules and their measures are mlxtend's (``association_rules``). Added to them:

- Fisher's exact test of a rule against independence, one-sided, and q-values (Benjamini & Hochberg 1995, *Controlling
  the false discovery rate*, JRSS B 57) over all rules that were looked at, not only over those that were kept: rules
  are chosen because they are strong, and q-values of the chosen alone would be far too small (Webb 2007, *Discovering
  significant patterns*, Machine Learning 68).
- A rule is redundant when a shorter one explains it: when, among the baskets that hold all but one of the items on the
  left, those that hold this one too hold the right side no more often than chance makes them (Webb's productive rules).
- Confidence and lift on baskets that came later than those the rules were found in.
"""

from collections.abc import Iterator
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
from dbt_common.events.base_types import EventLevel
from dbt_common.events.functions import fire_event
from dbt_common.events.types import Note
from scipy.stats import hypergeom

from crm_mining.baskets.itemsets import (
    Baskets,
    Itemsets,
    SupportTooLowError,
    count_itemsets,
    frequent_itemsets,
    read_baskets,
)
from crm_mining.common.arrays import FloatArray, IntArray

#: A shorter rule explains a longer one, and a later basket confirms a rule, at this level.
ALPHA = 0.05
MINED, NO_BASKETS, NO_ITEMSETS, REFUSED = "mined", "no_baskets", "no_itemsets", "refused"

ITEMSET_SCHEMA = pa.schema(
    [
        ("rule_set", pa.string()), ("item_ids", pa.list_(pa.string())), ("n_items", pa.int64()),
        ("n_baskets", pa.int64()), ("n_all_baskets", pa.int64()), ("n_tests", pa.float64()), ("status", pa.string()),
        ("status_detail", pa.string()),
    ]
)  # fmt: skip

_MEASURES = {
    "antecedent support": "antecedent_support", "consequent support": "consequent_support", "support": "support",
    "confidence": "confidence", "lift": "lift", "leverage": "leverage", "conviction": "conviction",
    "zhangs_metric": "zhangs_metric", "jaccard": "jaccard", "certainty": "certainty",
}  # fmt: skip
_COUNTS = ["n_baskets", "n_antecedent", "n_consequent"]
_TESTS = ["p_value", "q_value", "improvement"]
_HOLDOUT = ["holdout_n_all_baskets", "holdout_n_baskets", "holdout_n_antecedent"]
_HOLDOUT_MEASURES = ["holdout_confidence", "holdout_lift", "holdout_p_value"]

RULE_SCHEMA = pa.schema(
    [("rule_set", pa.string()), ("antecedent_ids", pa.list_(pa.string())), ("consequent_ids", pa.list_(pa.string()))]
    + [(name, pa.int64()) for name in _COUNTS]
    + [(name, pa.float64()) for name in [*_MEASURES.values(), *_TESTS]]
    + [("is_redundant", pa.bool_())]
    + [(name, pa.int64()) for name in _HOLDOUT]
    + [(name, pa.float64()) for name in _HOLDOUT_MEASURES]
    + [("is_confirmed", pa.bool_())]
)


def association_rules(itemsets: Itemsets, *, min_confidence: float, max_right: int) -> pd.DataFrame:
    """Make the rules of frequent itemsets and test them.

    Parameters
    ----------
    itemsets : Itemsets
        As :func:`crm_mining.baskets.itemsets.frequent_itemsets` finds them.
    min_confidence : float
        Share of the baskets with the left side that hold the right side too, above 0, at most 1.
    max_right : int
        Items on the right side, 1 or more.

    Returns
    -------
    DataFrame
        One row per rule: ``antecedent`` and ``consequent`` (ascending tuples of positions in ``item_ids``), counts
        ``n_baskets`` (with both sides), ``n_antecedent``, ``n_consequent``; mlxtend's measures, conviction being NaN
        where the rule has no exception and mlxtend says infinity; ``p_value`` (Fisher's exact test, one-sided),
        ``q_value``, ``improvement`` (confidence beyond the best rule with one item less on the left; beyond the
        share of the right side, where there is only one) and ``is_redundant``. Ordered by the two sides.

    Raises
    ------
    ValueError
        When a parameter is outside its range; the message names it.
    """
    # On import mlxtend takes seconds, so only when needed.
    from mlxtend.frequent_patterns import association_rules as rules_of

    if not 0 < min_confidence <= 1:
        raise ValueError(f"min_confidence is {min_confidence!r}; allowed: above 0, at most 1")
    if max_right < 1:
        raise ValueError(f"max_right is {max_right!r}; allowed: 1 or more")
    count_of = _count_of(itemsets)
    frame = pd.DataFrame(
        {"support": [count / itemsets.n_baskets for count in count_of.values()], "itemsets": list(count_of)}
    )
    if not any(len(items) > 1 for items in count_of):
        return _empty_rules()
    # Slightly lower, so that rounding loses no rule at the threshold itself; counts decide below.
    with np.errstate(divide="ignore", invalid="ignore"):
        found = rules_of(
            frame, metric="confidence", min_threshold=min_confidence * (1 - 1e-9), return_metrics=list(_MEASURES)
        )
    found = found[found["consequents"].map(len) <= max_right].rename(columns=_MEASURES)
    if found.empty:
        return _empty_rules()
    for name, sides in (("antecedent", "antecedents"), ("consequent", "consequents")):
        found[name] = found[sides].map(lambda items: tuple(sorted(items)))
        found[f"n_{name}"] = found[sides].map(count_of.__getitem__).astype("int64")
    both = [left | right for left, right in zip(found["antecedents"], found["consequents"], strict=True)]
    found["n_baskets"] = np.array([count_of[items] for items in both], dtype=np.int64)
    found["conviction"] = found["conviction"].where(np.isfinite(found["conviction"]))
    found = found.sort_values(["antecedent", "consequent"], ignore_index=True)
    found["p_value"] = independence_p(
        found["n_baskets"].to_numpy(),
        found["n_antecedent"].to_numpy(),
        found["n_consequent"].to_numpy(),
        itemsets.n_baskets,
    )
    found["q_value"] = q_values(found["p_value"].to_numpy(), n_tests(itemsets, max_right))
    improvement, worst_p = _against_shorter(found, count_of)
    found["improvement"], found["is_redundant"] = improvement, worst_p >= ALPHA
    rules: pd.DataFrame = found[["antecedent", "consequent", *_COUNTS, *_MEASURES.values(), *_TESTS, "is_redundant"]]
    return rules


def n_tests(itemsets: Itemsets, max_right: int) -> float:
    """Count the rules that were looked at: of every set that was counted, each way of parting it in two."""
    total = 0.0
    for length, n_sets in enumerate(itemsets.n_candidates, 1):
        # Of two and more items each is the right side once, and so on up to max_right.
        ways, part = 0, 1
        for right in range(1, min(max_right, length - 1) + 1):
            part = part * (length - right + 1) // right
            ways += part
        total += float(n_sets) * ways
    return total


def independence_p(n_both: IntArray, n_left: IntArray, n_right: IntArray, n_all: int | IntArray) -> FloatArray:
    """Test whether two things meet more often than independent ones (Fisher's exact test, one-sided).

    Parameters
    ----------
    n_both, n_left, n_right : array of shape (n,)
        How many cases have both, the one, the other.
    n_all : int or array of shape (n,)
        All cases.

    Returns
    -------
    array of shape (n,)
        Probability of at least ``n_both``, given the other numbers; 1 where there are no cases.

    Examples
    --------
    >>> round(float(independence_p(np.array([3]), np.array([3]), np.array([3]), 6)[0]), 4)
    0.05
    """
    p = np.asarray(hypergeom.sf(np.asarray(n_both) - 1, n_all, n_right, n_left), dtype="float64")
    bounded: FloatArray = np.clip(np.nan_to_num(p, nan=1.0), 0.0, 1.0)
    return bounded


def q_values(p: FloatArray, n_all: float) -> FloatArray:
    """Turn p-values into q-values (Benjamini & Hochberg), among ``n_all`` tests.

    Parameters
    ----------
    p : array of shape (n,)
        The p-values that are given; those of the other tests count as 1.
    n_all : float
        Tests made; at least n.

    Returns
    -------
    array of shape (n,)
        The share of false discoveries when all with a q-value as small are taken for discoveries; at most 1.

    Examples
    --------
    >>> q_values(np.array([0.01, 0.04, 0.02]), 3).tolist()
    [0.03, 0.04, 0.03]
    """
    order = np.argsort(p, kind="stable")
    scaled = p[order] * max(n_all, len(p)) / np.arange(1, len(p) + 1)
    q = np.empty(len(p))
    q[order] = np.minimum(np.minimum.accumulate(scaled[::-1])[::-1], 1.0) if len(p) else scaled
    return q


def later_baskets(rules: pd.DataFrame, item_ids: list[str], baskets: Baskets) -> pd.DataFrame:
    """Look at rules in other baskets than those they were found in.

    Parameters
    ----------
    rules : DataFrame
        As :func:`association_rules` makes them.
    item_ids : list of str
        The keys that they mean.
    baskets : Baskets
        Later ones.

    Returns
    -------
    DataFrame
        A row for each rule: ``holdout_n_all_baskets``, ``holdout_n_baskets`` and ``holdout_n_antecedent`` (counts);
        ``holdout_confidence``, ``holdout_lift``, ``holdout_p_value``; ``is_confirmed``: the p-value is below
        :data:`ALPHA`. NaN and missing where no basket has the left side, the lift also where none has the right side.
    """
    sides = [
        [tuple(sorted(left + right)) for left, right in zip(rules["antecedent"], rules["consequent"], strict=True)],
        list(rules["antecedent"]),
        list(rules["consequent"]),
    ]
    by_length: dict[int, list[tuple[int, ...]]] = {}
    for items in dict.fromkeys(items for side in sides for items in side):
        by_length.setdefault(len(items), []).append(items)
    counted = count_itemsets(baskets, item_ids, [np.array(part, dtype=np.int64) for part in by_length.values()])
    count_of = {
        items: int(count)
        for part, counts in zip(by_length.values(), counted, strict=True)
        for items, count in zip(part, counts, strict=True)
    }
    both, left, right = (np.array([count_of[items] for items in side], dtype=np.int64) for side in sides)
    n = baskets.n_baskets
    with np.errstate(divide="ignore", invalid="ignore"):
        confidence = np.where(left > 0, both / left, np.nan)
        lift = np.where(right > 0, confidence * n / right, np.nan)
    p = np.where(left > 0, independence_p(both, left, right, n), np.nan)
    return pd.DataFrame(
        {
            "holdout_n_all_baskets": np.full(len(rules), n, dtype=np.int64), "holdout_n_baskets": both,
            "holdout_n_antecedent": left, "holdout_confidence": confidence, "holdout_lift": lift, "holdout_p_value": p,
            "is_confirmed": pd.array(p < ALPHA, dtype="boolean"),
        }
    ).assign(is_confirmed=lambda frame: frame["is_confirmed"].mask(left == 0))  # fmt: skip


def itemsets_from_tables(items: duckdb.DuckDBPyRelation, rule_sets: duckdb.DuckDBPyRelation) -> pa.Table:
    """Mine the baskets of each rule set that are not held out.

    Parameters
    ----------
    items : relation
        ``rule_set, basket_id, item_id, is_holdout``.
    rule_sets : relation
        ``rule_set, min_support, min_baskets, max_length, max_right, max_itemsets``.

    Returns
    -------
    Table
        One row per rule set and itemset, as :data:`ITEMSET_SCHEMA` says; a rule set without any has one row with
        ``n_items`` 0 and why in ``status`` and ``status_detail``. ``n_tests`` is what :func:`n_tests` counts.
    """
    tables = [ITEMSET_SCHEMA.empty_table()]
    for options in _rows(rule_sets.order("rule_set")):
        name = options["rule_set"]
        rows: dict[str, list[Any]] = {"item_ids": [None], "n_items": [0], "n_baskets": [0]}
        baskets = read_baskets(_of_set(items, name, is_holdout=False))
        tests, status, detail = 0.0, NO_BASKETS, "no basket in the window"
        if baskets.n_baskets:
            status, detail = (
                NO_ITEMSETS,
                f"no item is in {options['min_baskets']} baskets and as many as min_support asks",
            )
            # In a handful of baskets everything is frequent.
            support = min(max(options["min_support"], options["min_baskets"] / baskets.n_baskets), 1.0)
            try:
                found = frequent_itemsets(
                    baskets, min_support=support, max_length=options["max_length"], max_itemsets=options["max_itemsets"]
                )
            except SupportTooLowError as error:
                status, detail = REFUSED, f"rule set {name}: {error}"
                fire_event(Note(msg=f"Not mined, {detail}"), EventLevel.WARN)
            else:
                tests = n_tests(found, options["max_right"])
                if found.n_sets and baskets.n_baskets >= options["min_baskets"]:
                    rows, status, detail = _itemset_columns(found), MINED, ""
        n_rows = len(rows["n_items"])
        constant = {
            "rule_set": name, "n_all_baskets": baskets.n_baskets, "n_tests": tests, "status": status,
            "status_detail": detail,
        }  # fmt: skip
        columns = rows | {column: [value] * n_rows for column, value in constant.items()}
        tables.append(pa.table({column: columns[column] for column in ITEMSET_SCHEMA.names}, schema=ITEMSET_SCHEMA))
    return pa.concat_tables(tables)


def rules_from_tables(
    itemsets: duckdb.DuckDBPyRelation, items: duckdb.DuckDBPyRelation, rule_sets: duckdb.DuckDBPyRelation
) -> pa.Table:
    """Make the rules of each rule set and look at them in its held-out baskets.

    Parameters
    ----------
    itemsets : relation
        As :func:`itemsets_from_tables` gives them.
    items : relation
        ``rule_set, basket_id, item_id, is_holdout``.
    rule_sets : relation
        ``rule_set, min_confidence, max_right``.

    Returns
    -------
    Table
        One row per rule set and rule, as :data:`RULE_SCHEMA` says.
    """
    tables = [RULE_SCHEMA.empty_table()]
    for options in _rows(rule_sets.order("rule_set")):
        name = options["rule_set"]
        rows = _of_set(itemsets, name).filter("n_items > 0").order("n_items, item_ids").to_arrow_table()
        if rows.num_rows == 0:
            continue
        found = _as_itemsets(rows)
        rules = association_rules(found, min_confidence=options["min_confidence"], max_right=options["max_right"]).drop(
            columns="q_value"
        )
        rules["q_value"] = q_values(rules["p_value"].to_numpy(), float(rows["n_tests"][0].as_py()))
        if rules.empty:
            continue
        later = later_baskets(rules, found.item_ids, read_baskets(_of_set(items, name, is_holdout=True)))
        columns = pd.concat([rules, later], axis=1)
        for side in ("antecedent", "consequent"):
            columns[f"{side}_ids"] = [[found.item_ids[item] for item in row] for row in rules[side]]
        columns["rule_set"] = name
        tables.append(pa.Table.from_pandas(columns[RULE_SCHEMA.names], schema=RULE_SCHEMA, preserve_index=False))
    return pa.concat_tables(tables)


def _count_of(itemsets: Itemsets) -> dict[frozenset[int], int]:
    return {
        frozenset(row): count
        for items, counts in zip(itemsets.items, itemsets.counts, strict=True)
        for row, count in zip(items.tolist(), counts.tolist(), strict=True)
    }


def _empty_rules() -> pd.DataFrame:
    kinds = dict.fromkeys(["antecedent", "consequent"], "object") | dict.fromkeys(_COUNTS, "int64")
    kinds |= dict.fromkeys([*_MEASURES.values(), *_TESTS], "float64") | {"is_redundant": "bool"}
    return pd.DataFrame({name: pd.Series(dtype=kind) for name, kind in kinds.items()})


def _against_shorter(rules: pd.DataFrame, count_of: dict[frozenset[int], int]) -> tuple[FloatArray, FloatArray]:
    """Give what each rule adds to the best with one item less on the left, and the largest p of adding nothing."""
    which: list[int] = []
    counts: list[tuple[int, int, int, int]] = []
    for position, (left, right, n_both, n_left) in enumerate(
        zip(rules["antecedent"], rules["consequent"], rules["n_baskets"], rules["n_antecedent"], strict=True)
    ):
        for item in left if len(left) > 1 else ():
            shorter = frozenset(left) - {item}
            which.append(position)
            counts.append((n_both, n_left, count_of[shorter | frozenset(right)], count_of[shorter]))
    best = rules["consequent_support"].to_numpy(dtype="float64", copy=True)
    worst_p = rules["p_value"].to_numpy(dtype="float64", copy=True)
    if counts:
        n_both, n_left, n_shorter_both, n_shorter = np.array(counts, dtype=np.int64).T
        at = np.array(which)
        longer = np.unique(at)
        best[longer], worst_p[longer] = 0.0, 0.0
        np.maximum.at(best, at, n_shorter_both / n_shorter)
        np.maximum.at(worst_p, at, independence_p(n_both, n_left, n_shorter_both, n_shorter))
    return rules["confidence"].to_numpy(dtype="float64") - best, worst_p


def _rows(relation: duckdb.DuckDBPyRelation) -> Iterator[dict[str, Any]]:
    names = relation.columns
    for row in relation.fetchall():
        yield dict(zip(names, row, strict=True))


def _of_set(
    relation: duckdb.DuckDBPyRelation, rule_set: str, *, is_holdout: bool | None = None
) -> duckdb.DuckDBPyRelation:
    rows = relation.filter(duckdb.ColumnExpression("rule_set") == duckdb.ConstantExpression(rule_set))
    return rows if is_holdout is None else rows.filter("is_holdout" if is_holdout else "not is_holdout")


def _itemset_columns(found: Itemsets) -> dict[str, list[Any]]:
    columns: dict[str, list[Any]] = {"item_ids": [], "n_items": [], "n_baskets": []}
    for items, counts in zip(found.items, found.counts, strict=True):
        columns["item_ids"] += [[found.item_ids[item] for item in row] for row in items.tolist()]
        columns["n_items"] += [items.shape[1]] * len(items)
        columns["n_baskets"] += counts.tolist()
    return columns


def _as_itemsets(rows: pa.Table) -> Itemsets:
    sets, counts = rows["item_ids"].to_pylist(), rows["n_baskets"].to_pylist()
    item_ids = sorted({key for keys in sets for key in keys})
    position = {key: at for at, key in enumerate(item_ids)}
    longest = max(len(keys) for keys in sets)
    items: list[list[list[int]]] = [[] for _ in range(longest)]
    found: list[list[int]] = [[] for _ in range(longest)]
    for keys, count in zip(sets, counts, strict=True):
        items[len(keys) - 1].append([position[key] for key in keys])
        found[len(keys) - 1].append(count)
    return Itemsets(
        item_ids, int(rows["n_all_baskets"][0].as_py()), min(counts),
        [np.array(part, dtype=np.int64).reshape(-1, length) for length, part in enumerate(items, 1)],
        [np.array(part, dtype=np.int64) for part in found],
    )  # fmt: skip
