"""The published figures of Online Retail II, found again in a warehouse that was built from it."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest
from conftest import open_to_read

PROJECT = Path(__file__).resolve().parents[3]
PREPARE = PROJECT / "examples" / "online_retail_ii" / "prepare.py"
REFERENCE_DATA = Path(os.environ.get("CRM_REFERENCE_DATA") or PROJECT.parent / "shared" / "data")
SOURCE = REFERENCE_DATA / "online_retail_ii" / "online_retail_ii.parquet"

pytestmark = pytest.mark.warehouse  # built by a command of its own, which conftest.py does not see

RAW_LINES = 1_067_370
DUPLICATE_LINES = 34_335
GUEST_LINES = 243_007
CREDIT_LINES = 19_494
CUSTOMERS = 5_942
INVOICES = 53_628

needs_reference_data = pytest.mark.skipif(
    not SOURCE.is_file(), reason=f"no reference data: {SOURCE} (set CRM_REFERENCE_DATA)"
)


def run(command: list[str], **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command in the project's root, its output kept."""
    return subprocess.run(
        command, cwd=PROJECT, env=os.environ | environment, capture_output=True, text=True, check=False
    )


def prepare(source: Path, out: Path) -> subprocess.CompletedProcess[str]:
    """Run the example's script as a user would."""
    return run([sys.executable, str(PREPARE), "--source", str(source), "--out", str(out)])


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    """Build a warehouse in pounds from the reference data; its view `source` is the untouched file."""
    folder = tmp_path_factory.mktemp("online_retail_ii")
    prepared = prepare(SOURCE, folder / "data")
    assert prepared.returncode == 0, prepared.stderr
    options = {
        "raw_from": "folder",
        "raw_location": str(folder / "data"),
        "modules": ["shop"],
        "warehouse_currency": "GBP",
    }
    places = ["--target-path", str(folder / "target"), "--log-path", str(folder / "logs")]
    built = run(
        # What is mined of a million lines takes minutes and is not looked at here.
        [
            str(Path(sys.executable).parent / "dbt"),
            "build",
            *places,
            "--vars",
            json.dumps(options),
            "--select",
            "+core",
            "+quality",
            "+path:models/identity/marts",
            "--indirect-selection",
            "cautious",
        ],
        CRM_WAREHOUSE=str(folder / "warehouse.duckdb"),
        DBT_PROJECT_DIR=str(PROJECT),
        DBT_PROFILES_DIR=str(PROJECT),
        DBT_SEND_ANONYMOUS_USAGE_STATS="false",
    )
    assert built.returncode == 0, built.stdout[-5000:] + built.stderr
    with open_to_read(folder / "warehouse.duckdb") as connection:
        connection.execute("use warehouse.marts")
        connection.execute(f"create temp view source as select * from read_parquet('{SOURCE}')")
        connection.execute("""
            create temp view rejected_lines as
            select
                string_split(rejection_reasons, ', ') as reasons,
                raw_record ->> 'order_id' as order_id,
                (raw_record ->> 'quantity')::decimal(18, 4) as quantity,
                (raw_record ->> 'unit_price')::decimal(18, 4) as unit_price
            from dq_rejected_rows
            where source_table = 'shop.order_lines'
        """)
        yield connection


def number(connection: duckdb.DuckDBPyConnection, query: str) -> int | Decimal:
    """Return the one number that a query gives."""
    row = connection.execute(query).fetchone()
    assert row is not None
    assert isinstance(row[0], int | Decimal)
    return row[0]


@needs_reference_data
def test_every_line_is_accepted_or_rejected(warehouse: duckdb.DuckDBPyConnection) -> None:
    assert number(warehouse, "select count(*) from source") == RAW_LINES
    accepted = number(warehouse, "select count(*) from fct_order_lines")
    assert accepted + number(warehouse, "select count(*) from rejected_lines") == RAW_LINES


@needs_reference_data
def test_exact_duplicates_are_rejected_as_such(warehouse: duckdb.DuckDBPyConnection) -> None:
    duplicates = "from rejected_lines where list_contains(reasons, 'duplicate_row')"
    assert number(warehouse, f"select count(*) {duplicates}") == DUPLICATE_LINES
    assert number(warehouse, "select count(*) from rejected_lines where list_contains(reasons, 'duplicate_key')") == 0
    repeated = """
        select sum((n_copies - 1) * "Quantity")::bigint
        from (select * exclude (sheet), count(*) as n_copies from source group by all)
    """
    assert number(warehouse, f"select sum(quantity)::bigint {duplicates}") == number(warehouse, repeated)


@needs_reference_data
@pytest.mark.parametrize(
    ("table", "published"),
    [("dim_customers", CUSTOMERS), ("fct_orders", INVOICES), ("fct_orders where order_type = 'return'", 8_292)],
)
def test_customers_and_orders_are_all_there(warehouse: duckdb.DuckDBPyConnection, table: str, published: int) -> None:
    assert number(warehouse, f"select count(*) from {table}") == published


@needs_reference_data
@pytest.mark.parametrize(
    ("orders", "published"),
    [
        ("shop_customer_id is null", GUEST_LINES),
        ("order_id like 'C%'", CREDIT_LINES),
        ("order_type = 'return'", CREDIT_LINES),
    ],
)
def test_guest_and_credit_lines_reconcile(warehouse: duckdb.DuckDBPyConnection, orders: str, published: int) -> None:
    chosen = f"where order_id in (select order_id from fct_orders where {orders})"
    accepted = number(warehouse, f"select count(*) from fct_order_lines {chosen}")
    rejected = number(warehouse, f"select count(*) from rejected_lines {chosen}")
    assert accepted + rejected == published


@needs_reference_data
def test_order_types_turn_no_quantity_round(warehouse: duckdb.DuckDBPyConnection) -> None:
    assert number(warehouse, "select count(*) from fct_order_lines where order_type = 'sale' and quantity <= 0") == 0
    assert number(warehouse, "select count(*) from dq_repairs where source_table = 'shop.orders'") == 0
    assert number(warehouse, "select count(*) from dq_repairs where column_name = 'quantity'") == 0


@needs_reference_data
def test_prices_that_really_vary_are_not_taken_for_cents(warehouse: duckdb.DuckDBPyConnection) -> None:
    assert number(warehouse, "select count(*) from dq_repairs where rule like '%price_off_by_100%'") == 0


@needs_reference_data
def test_revenue_is_the_files_less_rejects_and_repairs(warehouse: duckdb.DuckDBPyConnection) -> None:
    delivered = number(warehouse, 'select sum(round("Quantity" * "Price"::decimal(18, 4), 2)) from source')
    rejected = number(warehouse, "select coalesce(sum(round(quantity * unit_price, 2)), 0) from rejected_lines")
    repaired = number(
        warehouse,
        """
        with repairs as (
            select
                source_key,
                max(old_value) filter (where column_name = 'quantity')::decimal(18, 4) as old_quantity,
                max(new_value) filter (where column_name = 'quantity')::decimal(18, 4) as new_quantity,
                max(old_value) filter (where column_name = 'unit_price')::decimal(18, 4) as old_price,
                max(new_value) filter (where column_name = 'unit_price')::decimal(18, 4) as new_price
            from dq_repairs
            where source_table = 'shop.order_lines'
            group by source_key
        )

        select coalesce(sum(
            round(coalesce(new_quantity, quantity) * coalesce(new_price, unit_price_amount), 2)
            - round(coalesce(old_quantity, quantity) * coalesce(old_price, unit_price_amount), 2)
        ), 0)
        from repairs
        inner join fct_order_lines on fct_order_lines.order_line_id = repairs.source_key
        """,
    )
    assert number(warehouse, "select sum(net_amount) from fct_order_lines") == delivered - rejected + repaired
    assert number(warehouse, "select sum(net_amount) from fct_orders") == delivered - rejected + repaired


def test_prepare_names_a_missing_source(tmp_path: Path) -> None:
    finished = prepare(tmp_path / "nowhere.parquet", tmp_path / "out")
    assert finished.returncode == 1
    assert finished.stderr.strip() == f"source file not found: {tmp_path / 'nowhere.parquet'}"


def test_prepare_names_missing_columns(tmp_path: Path) -> None:
    source = tmp_path / "short.parquet"
    duckdb.sql("""select '1' as "Invoice", '2' as "StockCode", 1 as "Quantity" """).write_parquet(str(source))
    finished = prepare(source, tmp_path / "out")
    assert finished.returncode == 1
    assert (
        "lacks the column(s) Description, InvoiceDate, Price, Customer ID, Country; it has Invoice" in finished.stderr
    )


def test_prepare_stops_at_an_invoice_with_two_customers(tmp_path: Path) -> None:
    source = tmp_path / "ambiguous.parquet"
    duckdb.sql("""
        select
            'X1' as "Invoice", 'P' as "StockCode", 'Pen' as "Description", 1 as "Quantity", 1.0 as "Price",
            timestamp '2010-01-01' as "InvoiceDate", unnest([1.0, null]) as "Customer ID", 'EIRE' as "Country"
    """).write_parquet(str(source))
    finished = prepare(source, tmp_path / "out")
    assert finished.returncode == 1
    assert "1 invoice(s) name several customers or countries, among them X1" in finished.stderr
