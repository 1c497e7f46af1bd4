"""Segments: found, named, kept from one date to the next, and what happens with hardly any customers."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest import Build, dbt_run_in_process, open_to_read, open_to_write
from dbt.contracts.graph.manifest import Manifest

from crm_mining.segments.clusters import Segments, find_segments
from crm_mining.segments.evaluation import evaluate_segments
from crm_mining.segments.names import name_segments

NAMES = ("amount", "pace", "silence")
WORDS = {"silence": ("silent", "recent"), "amount": ("big-basket", "small-basket"), "pace": ("quick", "slow")}
CENTERS = np.array([[3.0, 0, 0], [0, 3.0, 0], [0, 0, 3.0], [-3.0, -3.0, 0]])


def draw(n: int = 400, shift: float = 0.0, seed: int = 1) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.vstack([center + shift + rng.normal(0, 0.5, (n // (i + 1), 3)) for i, center in enumerate(CENTERS)])


@pytest.fixture(scope="module")
def first() -> Segments:
    found = find_segments(draw(), NAMES)
    return replace(found, names=name_segments(found, WORDS))


def test_the_planted_number_is_found_and_named(first: Segments) -> None:
    assert len(first.keys) == 4
    assert first.status == "fitted"
    assert first.selection.loc[first.selection["k"] == 4, "stability"].item() > 0.98
    assert first.sizes.tolist() == sorted(first.sizes.tolist(), reverse=True)
    assert len(set(first.names.values())) == 4
    assert "big-basket" in first.names[1]
    assert name_segments(find_segments(draw(seed=2), NAMES), WORDS) == first.names


def test_segments_keep_their_key_and_name_while_they_hold(first: Segments) -> None:
    later = find_segments(draw(shift=0.2, seed=2), NAMES, first)
    assert later.status == "kept"
    assert name_segments(later, WORDS) == first.names
    np.testing.assert_array_equal(later.keys, first.keys)
    assert np.abs(later.centroids - first.centroids).max() < 0.3


def test_a_changed_structure_is_said_and_old_segments_keep_their_key(first: Segments) -> None:
    rng = np.random.default_rng(5)
    values = draw(seed=3)
    gone = values[:, 2] > 1.5
    values[gone] = np.array([0.0, -2.0, -4.0]) + rng.normal(0, 0.4, (int(gone.sum()), 3))
    changed = find_segments(values, NAMES, first)
    assert changed.status == "changed"
    stayed = set(changed.keys.tolist()) & set(first.keys.tolist())
    assert len(stayed) == 3
    assert max(changed.keys.tolist()) > max(first.keys.tolist())
    assert all(name_segments(changed, WORDS)[key] == first.names[key] for key in stayed)


def test_features_that_come_and_go_are_a_changed_structure(first: Segments) -> None:
    other = find_segments(draw(seed=2), ("amount", "pace", "breadth"), first)
    assert other.status == "changed"
    assert len(other.keys) == 4
    assert set(other.keys.tolist()) & set(first.keys.tolist())  # matched by the features that both use
    strange = find_segments(draw(seed=2)[:, :2], ("breadth", "depth"), first)
    assert strange.status == "changed"
    assert not set(strange.keys.tolist()) & set(first.keys.tolist())


@pytest.mark.parametrize(
    ("values", "status"), [(np.zeros((0, 3)), "too_few"), (draw()[:5], "too_few"), (np.ones((500, 3)), "constant")]
)
def test_hardly_any_customers_are_one_segment(values: np.ndarray, status: str) -> None:
    found = find_segments(values, NAMES)
    assert found.status == status
    assert found.keys.tolist() == [1]
    key, distance, confidence = found.assign(values)
    assert set(key.tolist()) <= {1}
    assert np.isfinite(distance).all()
    assert np.isfinite(confidence).all()


def test_a_constant_feature_says_nothing() -> None:
    values = draw()
    values[:, 1] = 7
    found = find_segments(values, NAMES)
    assert found.status == "fitted"
    assert np.isfinite(found.centroids).all()


def test_wrong_parameters_are_named() -> None:
    with pytest.raises(ValueError, match="segment_range is 9 to 3; allowed"):
        find_segments(draw(), NAMES, k_range=(9, 3))


def test_one_month_on_nearly_all_that_can_keep_their_segment_do(
    sample_build: Build, manifest: Manifest, tmp_path: Path
) -> None:
    shutil.copy(sample_build.warehouse, tmp_path / "warehouse.duckdb")
    with open_to_write(tmp_path / "warehouse.duckdb") as con:
        con.execute(
            "update intermediate.int_as_of_dates set as_of_date = date '2025-11-30' where as_of_date = '2025-11-15'"
        )
        con.execute("delete from intermediate.int_segment_terms")
    models = "int_customer_purchases int_customer_days int_*_features int_customer_features int_category_shares"
    finished = dbt_run_in_process(manifest, tmp_path, {}, f"{models} int_segment_inputs int_segment_terms")
    assert finished.returncode == 0, finished.output[-6000:]
    with open_to_read(finished.warehouse) as con:
        found = evaluate_segments(
            con.table("intermediate.int_segment_inputs"),
            con.table("intermediate.int_segment_terms"),
            con.table("intermediate.int_customer_sources"),
        )
    kept = found[(found["split"] == "as_of_2025-12-31") & (found["metric"] == "share_kept")]
    assert len(kept) == 4
    of = kept.set_index(["target", "model"])
    for target in ("behaviour_segment", "needs_segment"):
        aligned, naive = of.loc[(target, "customer_segments")], of.loc[(target, "baseline_naive_refit"), "value"]
        assert aligned["baseline"] > 0.85  # as the centroids of the month before would have it
        assert abs(aligned["value"] - aligned["baseline"]) < 0.03
        assert naive < 0.7 * aligned["value"]
