"""Measures of a clustering: equal to what counting every pair and every record by hand gives."""

import math
import time
from itertools import combinations

import duckdb
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crm_mining.evaluation.clusters import cluster_metrics

SHARES = [
    "pairwise_precision",
    "pairwise_recall",
    "pairwise_f1",
    "bcubed_precision",
    "bcubed_recall",
    "bcubed_f1",
]
LABELS = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=1, max_size=40)


def measured(labels: list[tuple[int, int]]) -> dict[str, float]:
    table = pd.DataFrame(labels, columns=["customer_id", "person_id"]).assign(record_id=range(len(labels)))
    found = cluster_metrics(table)
    assert list(found.columns) == ["metric", "value"]
    return dict(zip(found["metric"], found["value"], strict=True))


def by_hand(labels: list[tuple[int, int]]) -> dict[str, float]:
    joined = true = both = 0
    for (customer_a, person_a), (customer_b, person_b) in combinations(labels, 2):
        joined += customer_a == customer_b
        true += person_a == person_b
        both += customer_a == customer_b and person_a == person_b
    precision, recall = [], []
    for customer, person in labels:
        of_customer = [p for c, p in labels if c == customer]
        of_person = [c for c, p in labels if p == person]
        precision.append(of_customer.count(person) / len(of_customer))
        recall.append(of_person.count(customer) / len(of_person))
    mean_precision, mean_recall = np.mean(precision), np.mean(recall)
    return {
        "pairwise_precision": both / joined if joined else 1,
        "pairwise_recall": both / true if true else 1,
        "pairwise_f1": 2 * both / (joined + true) if joined + true else 1,
        "bcubed_precision": float(mean_precision),
        "bcubed_recall": float(mean_recall),
        "bcubed_f1": float(2 * mean_precision * mean_recall / (mean_precision + mean_recall)),
        "n_records": len(labels),
        "n_customers": len({c for c, _ in labels}),
        "n_persons": len({p for _, p in labels}),
    }


@settings(deadline=None, max_examples=40)
@given(LABELS)
def test_equals_counting_all_pairs_and_records(labels: list[tuple[int, int]]) -> None:
    assert measured(labels) == pytest.approx(by_hand(labels), abs=1e-12)


@settings(deadline=None, max_examples=40)
@given(LABELS)
def test_exchanging_the_labelings_exchanges_precision_and_recall(labels: list[tuple[int, int]]) -> None:
    forth, back = measured(labels), measured([(person, customer) for customer, person in labels])
    for kind in ("pairwise", "bcubed"):
        assert forth[f"{kind}_precision"] == pytest.approx(back[f"{kind}_recall"], abs=1e-12)
        assert forth[f"{kind}_f1"] == pytest.approx(back[f"{kind}_f1"], abs=1e-12)


@settings(deadline=None, max_examples=20)
@given(st.lists(st.integers(0, 5), min_size=1, max_size=40))
def test_perfect_clusters_score_one_whatever_their_names(persons: list[int]) -> None:
    found = measured([(100 - person, person) for person in persons])
    assert [found[share] for share in SHARES] == [1.0] * 6
    assert found["n_customers"] == found["n_persons"] == len(set(persons))


def test_one_record_is_perfect() -> None:
    assert measured([(7, 7)]) == dict.fromkeys(SHARES, 1.0) | {"n_records": 1, "n_customers": 1, "n_persons": 1}


def test_all_singletons_find_nothing_and_are_never_wrong() -> None:
    found = measured([(i, i // 2) for i in range(10)])
    assert [found[share] for share in SHARES] == pytest.approx([1, 0, 0, 1, 1 / 2, 2 / 3])
    assert (found["n_customers"], found["n_persons"]) == (10, 5)


def test_all_in_one_finds_everything() -> None:
    found = measured([(0, i // 2) for i in range(10)])
    assert [found[share] for share in SHARES] == pytest.approx([5 / 45, 1, 10 / 50, 1 / 5, 1, 1 / 3])
    assert (found["n_customers"], found["n_persons"]) == (1, 5)


def test_without_records_there_is_nothing_to_say() -> None:
    found = measured([])
    assert all(math.isnan(found[share]) for share in SHARES)
    assert (found["n_records"], found["n_customers"], found["n_persons"]) == (0, 0, 0)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"record_id": [1, 1], "customer_id": ["a", "b"], "person_id": ["x", "y"]}, "not unique: 1"),
        ({"record_id": [1, 2], "customer_id": ["a", None], "person_id": ["x", "y"]}, "1 records lack"),
    ],
)
def test_labels_that_are_no_labeling_are_refused(table: dict[str, list[object]], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        cluster_metrics(pd.DataFrame(table))


def test_a_million_records_of_a_relation_take_seconds_and_the_same_bits_whatever_the_threads() -> None:
    sql = """
        select
            'crm:' || range as record_id,
            'C' || (hash(range) % 300000 + case when range % 50 = 0 then 1 else 0 end) as customer_id,
            hash(range) % 300000 as person_id
        from range(1000000)
    """
    results = []
    for threads in (1, 2):
        with duckdb.connect(config={"threads": threads}) as connection:
            records = connection.sql(f"select * from ({sql}) order by hash(record_id, {threads})").execute()
            started = time.perf_counter()
            results.append(cluster_metrics(records))
            assert time.perf_counter() - started < 10
    pd.testing.assert_frame_equal(results[0], results[1], check_exact=True)
    assert 0.9 < results[0]["value"][2] < 1


def test_one_giant_cluster_does_not_overflow() -> None:
    with duckdb.connect() as connection:
        records = connection.sql(
            "select range as record_id, 0 as customer_id, range // 2 as person_id from range(3000000)"
        )
        found = cluster_metrics(records).set_index("metric")["value"]
    assert found["pairwise_precision"] == pytest.approx(1 / 2_999_999)
    assert found["bcubed_precision"] == pytest.approx(2 / 3_000_000)
