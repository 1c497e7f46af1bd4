"""What the project says of its tables: each mart and each of its columns has a description that a reader can use."""

import pytest
from dbt.contracts.graph.manifest import Manifest
from dbt.contracts.graph.nodes import ModelNode

#: A longer description is read by nobody; method belongs to the pages of the concepts.
MAX_LENGTH = 300


@pytest.fixture
def models(manifest: Manifest) -> list[ModelNode]:
    return [node for node in manifest.nodes.values() if isinstance(node, ModelNode)]


@pytest.fixture
def marts(models: list[ModelNode]) -> list[ModelNode]:
    return [model for model in models if model.schema == "marts"]


def test_every_column_of_a_mart_is_described(marts: list[ModelNode]) -> None:
    columns = [(mart, column) for mart in marts for column in mart.columns.values()]
    assert columns
    assert [f"{mart.name}.{column.name}" for mart, column in columns if not column.description] == []


def test_no_description_is_too_long(models: list[ModelNode]) -> None:
    described = {model.name: model.description for model in models} | {
        f"{model.name}.{column.name}": column.description for model in models for column in model.columns.values()
    }
    assert {name: len(text) for name, text in described.items() if len(text) > MAX_LENGTH} == {}


def test_every_model_begins_with_its_grain(models: list[ModelNode]) -> None:
    assert [model.name for model in models if not model.description.startswith("One row")] == []


def test_a_mart_is_sql_with_an_enforced_contract(marts: list[ModelNode]) -> None:
    assert [mart.name for mart in marts if mart.language != "sql" or not mart.config.contract.enforced] == []
