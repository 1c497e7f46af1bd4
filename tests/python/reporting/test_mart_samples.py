"""Ten rows of each mart on one page: readable, the same each time, and nothing personal."""

from pathlib import Path

import duckdb
import pytest
from conftest import Build

from crm_mining.reporting.mart_samples import N_COLUMNS, N_ROWS, TELLING, sample_page


@pytest.fixture
def warehouse(tmp_path: Path) -> Path:
    """Make three marts: of customers, of repairs, and an empty one."""
    file = tmp_path / "warehouse.duckdb"
    with duckdb.connect(str(file)) as con:
        con.execute("""
            create schema marts;
            create table marts.dim_customers as
            select 'C' || i as customer_id, 'Wanda' || i as first_name, 'secret' || i as email, 'Ulm' as city,
                i::double / 3 as income, timestamp '2024-01-01' + to_days(i::integer) as first_seen_at
            from range(50) as t(i);
            create table marts.dq_repairs as
            select 'shop.customers' as source_table, 'U1' as source_key, 'last_name' as column_name,
                'secretive' as old_value, 'Secret' as new_value, 'letter_case' as rule
            union all select 'shop.orders', 'O1', 'channel', 'a|b', 'web', 'vocabulary_typo';
            create table marts.wide as select 1 as a, 2 as b, 3 as c, 4 as d, 5 as e, 6 as f, 7 as g, 8 as h, 9 as i
            where false;
            create table marts.pii_inventory as
            select * from (values
                ('marts.dim_customers', 'first_name', 'name', 'dropped'),
                ('marts.dim_customers', 'email', 'email', 'pseudonym'),
                ('marts.dq_repairs', 'old_value', 'free_text', 'source_value'),
                ('marts.dq_repairs', 'new_value', 'free_text', 'source_value'),
                ('shop.customers', 'last_name', 'name', '')
            ) as t(table_name, column_name, pii_class, masking);
            create table marts.dq_raw_columns as
            select * from (values ('shop.customers', 'last_name', true), ('shop.orders', 'channel', true))
                as t(source_table, column_name, is_known);
        """)
    return file


def test_a_page_holds_ten_rows_of_each_and_nobodys_name(warehouse: Path) -> None:
    page = sample_page(warehouse)
    assert page == sample_page(warehouse)
    assert [line for line in page.splitlines() if line.startswith("## ")] == [
        "## dim_customers", "## dq_raw_columns", "## dq_repairs", "## pii_inventory", "## wide",
    ]  # fmt: skip
    assert "50 rows" in page
    rows = [line for line in page.splitlines() if line.startswith("| C")]
    assert len(rows) == N_ROWS
    assert all(line.count(" | ") < N_COLUMNS for line in rows)
    assert "2024-01-" in page
    assert "00:00" not in page
    assert "a\\|b" in page
    assert "xxxxxxxxx" in page
    assert not any(word in page for word in ("Wanda", "secret", "Secret"))


def test_without_a_warehouse_it_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="run `make build` first"):
        sample_page(tmp_path / "none.duckdb")


def test_the_telling_columns_are_there(sample_build: Build) -> None:
    there = set(sample_build.query("select table_name, column_name from duckdb_columns() where schema_name = 'marts'"))
    assert {(table, column) for table, columns in TELLING.items() for column in columns} <= there
