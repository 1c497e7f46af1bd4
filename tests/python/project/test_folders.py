"""The folders of the dbt project: concepts on floors, and what a model may read."""

from collections.abc import Iterator, Mapping

import pytest
from dbt.contracts.graph.manifest import Manifest

#: From the ground up: a concept reads only what stands on a lower floor, and nothing of its own floor.
FLOORS = (
    ("staging",),
    ("cleaning",),
    ("identity",),
    ("core", "quality"),
    ("features", "baskets", "recommendation"),
    ("value", "lifecycle", "segments", "prediction"),
    ("forecasting", "campaigns", "reporting"),
    ("evaluation",),
)
FLOOR = {concept: number for number, concepts in enumerate(FLOORS) for concept in concepts}

#: What a delivery brought, column by column: no row of it, and nothing to clean.
LANDED = "model.crm_mining.stg_landing__columns"
#: A node as (concept, layer), and what it reads.
Place = tuple[str, str]


def _places(manifest: Manifest) -> dict[str, Place]:
    """Say for each model and seed which concept it belongs to, and in which schema it stands."""
    return {
        key: (node.fqn[1], node.schema)
        for key, node in manifest.nodes.items()
        if node.resource_type in ("model", "seed")
    }


def _edges(manifest: Manifest, places: Mapping[str, Place]) -> Iterator[tuple[str, str]]:
    """Yield what is read and what reads it."""
    for key in places:
        yield from ((read, key) for read in manifest.nodes[key].depends_on_nodes if read in places)


def faults(places: Mapping[str, Place], edges: Iterator[tuple[str, str]]) -> list[str]:
    """Say what each edge breaks, if anything, in a sentence each."""
    found = []
    for read, reader in edges:
        (concept_read, schema_read), (concept, schema) = places[read], places[reader]
        if concept_read != concept and FLOOR[concept_read] >= FLOOR[concept]:
            found.append(f"{reader} ({concept}) reads {read}, and {concept_read} is not below {concept}")
        elif concept_read == concept == "staging" and schema_read != "lookup":
            found.append(f"{reader} reads {read}: staging never reads staging")
        elif schema == "marts" and concept_read == "staging" and read != LANDED:
            found.append(f"{reader} reads {read}: a mart never reads staging")
    return found


def test_concepts_read_only_lower_floors(manifest: Manifest) -> None:
    places = _places(manifest)
    assert {concept for concept, _ in places.values()} == set(FLOOR)
    assert faults(places, _edges(manifest, places)) == []


@pytest.mark.parametrize(
    ("read", "reader"),
    [
        ("model.crm_mining.customer_value", "model.crm_mining.int_candidate_pairs"),  # upwards: a circle
        ("model.crm_mining.customer_rfm", "model.crm_mining.sales_forecast"),  # across a floor
        ("model.crm_mining.stg_shop__orders", "model.crm_mining.fct_orders"),  # a mart that reads staging
    ],
)
def test_a_planted_edge_is_found(manifest: Manifest, read: str, reader: str) -> None:
    places = _places(manifest)
    (fault,) = faults(places, iter([(read, reader)]))
    assert read in fault
    assert reader in fault


def test_a_folder_is_a_concept_in_each_house(manifest: Manifest) -> None:
    for node in manifest.nodes.values():
        if node.resource_type == "model":
            top, concept, *below = node.original_file_path.split("/")
            assert concept in FLOOR, node.original_file_path
            if top == "models" and concept != "staging":
                assert below[0] == ("marts" if node.schema == "marts" else "intermediate"), node.original_file_path


def test_every_model_and_seed_has_a_tested_key(manifest: Manifest) -> None:
    keyed = {
        node.attached_node
        for node in manifest.nodes.values()
        if node.resource_type == "test" and node.name.startswith("has_key_")
    }
    assert [key for key in _places(manifest) if key not in keyed] == []


def test_every_model_is_read_or_is_a_mart(manifest: Manifest) -> None:
    read = {read for node in manifest.nodes.values() for read in node.depends_on_nodes}
    dead = [
        key for key, (_, schema) in _places(manifest).items() if schema not in ("marts", "lookup") and key not in read
    ]
    assert dead == []
