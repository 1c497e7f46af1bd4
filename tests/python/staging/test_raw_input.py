"""Raw files as they really come: what can be read is read, what can't is reported or rejected, and nothing is lost."""

import shutil
from pathlib import Path
from typing import Any

import duckdb
import pytest
from conftest import Build, dbt_run_in_process
from dbt.contracts.graph.manifest import Manifest

HEADERS = {
    "customers": "customer_id,first_name,last_name,email,country",
    "products": "product_id,product_name,list_price",
    "orders": "order_id,customer_id,ordered_at,order_type,channel",
    "order_lines": "order_id,product_id,quantity,unit_price,line_number",
    "web_events": "visitor_id,event_at,event_name",
}
ROWS = {
    "customers": ["A,Anna,Muster,anna@example.org,DE", "B,Bert,Beispiel,,DE"],
    "products": ["P1,Spade,10", "P2,Lamp,20"],
    "orders": ["O1,A,2024-03-01 10:00:00,sale,web", "O2,B,2024-03-02,sale,store"],
    "order_lines": ["O1,P1,1,10,1", "O1,P2,2,20,2", "O2,P1,1,10,1"],
    "web_events": ["v1,2024-03-01 09:00:00,page_view"],
}
SHOP: dict[str, Any] = {"modules": ["shop"]}


def write_shop(folder: Path, **contents: bytes | None) -> Path:
    """Write a small shop; a named table gets the bytes given, or no file when they are None."""
    (folder / "shop").mkdir(parents=True)
    for table, header in HEADERS.items():
        content = contents.get(table, "\n".join([header, *ROWS[table], ""]).encode())
        if content is not None:
            (folder / "shop" / f"{table}.csv").write_bytes(content)
    return folder


@pytest.fixture(scope="module")
def battered(seeded: Path, manifest: Manifest, tmp_path_factory: pytest.TempPathFactory) -> Build:
    """Build a shop whose files have a BOM, CRLF, semicolons, quotes in quotes, broken lines and a foreign encoding."""
    folder = tmp_path_factory.mktemp("battered")
    customers = (
        b'\xef\xbb\xbfcustomer_id,first_name,last_name,email,country,shoe_size\r\n'
        b'A,"Anna ""Annie""",Muster,anna@example.org,DE,38\r\n'
        b'B,"Bert\r\nBenno",Beispiel,,DE,40\r\n'
        b"C,too,few\r\n"
        b'D,"unquoted "inner" quote",X,,DE,41\r\n'
        b"E,J\xfcrgen,Latin,,DE,42\r\n"
    )  # fmt: skip
    products = b"product_id;product_name;list_price\nP1;Spade;10\nP2;Lamp, big;20\n"
    order_lines = b"\n".join(
        [
            HEADERS["order_lines"].encode(),
            *(row.encode() for row in ROWS["order_lines"]),
            b"O1,P1,1,10,3,one,too,many",
            b'O2,"never closed,2,20,2',
        ]
    )
    raw = write_shop(folder / "raw", customers=customers, products=products, order_lines=order_lines)
    shutil.copy(seeded, folder / "warehouse.duckdb")
    variables = SHOP | {"raw_location": str(raw)}
    built = dbt_run_in_process(manifest, folder, variables, "path:models path:python_models", command="build")
    assert built.returncode == 0, built.output[-6000:]
    return built


def test_bom_crlf_and_quotes_inside_quotes_are_read(battered: Build) -> None:
    names = battered.query("select source_key, first_name from intermediate.int_person_records")
    assert sorted(names) == [("A", 'Anna "Annie"'), ("B", "Bert\r\nBenno")]


def test_semicolons_separate_columns_where_the_header_says_so(battered: Build) -> None:
    assert battered.query("select product_name from marts.dim_products order by product_id") == [
        ("Spade",),
        ("Lamp, big",),
    ]


def test_unreadable_lines_are_rejected_with_their_whole_text(battered: Build) -> None:
    rejected = battered.query(
        """select source_table, json_extract_string(raw_record, '$.unreadable_line') as line
        from marts.dq_rejected_rows where rejection_reasons = 'unreadable_line' order by all"""
    )
    assert rejected == [
        ("shop.customers", "C,too,few"),
        ("shop.customers", 'D,"unquoted "inner" quote",X,,DE,41'),
        ("shop.customers", "E,Jürgen,Latin,,DE,42"),
        ("shop.order_lines", 'O1,P1,1,10,3,one,too,many'),
        ("shop.order_lines", 'O2,"never closed,2,20,2'),
    ]  # fmt: skip


def test_an_unknown_column_is_left_out_and_listed_once(battered: Build) -> None:
    assert battered.query(
        "select source_table, column_name, treatment from marts.dq_raw_columns where not is_known"
    ) == [("shop.customers", "shoe_size", "left_out")]
    assert battered.output.count("carries the unknown column `shoe_size`") == 1


def test_modules_not_in_use_are_empty_and_everything_builds(battered: Build) -> None:
    assert battered.query("select count(*) from marts.fct_tickets") == [(0,)]
    assert battered.query("select count(*), sum(net_amount)::double from marts.fct_orders") == [(2, 60.0)]


def test_parquet_with_types_of_its_own_gives_the_marts_of_text(
    seeded: Path, manifest: Manifest, tmp_path: Path
) -> None:
    text = write_shop(tmp_path / "text")
    types = {
        "quantity": "integer",
        "unit_price": "double",
        "line_number": "smallint",
        "ordered_at": "timestamp",
        "event_at": "timestamp",
    }
    with duckdb.connect() as con:
        for file in sorted((text / "shop").glob("*.csv")):
            parts = tmp_path / "typed" / "shop" / file.stem
            parts.mkdir(parents=True)
            columns = file.read_text().splitlines()[0].split(",")
            selected = ", ".join(f"{name}::{types.get(name, 'varchar')} as {name}" for name in columns)
            for part in (0, 1):  # a folder of several files is one table
                con.execute(
                    f"""copy (
                        select {selected}
                        from (select *, row_number() over () as n from read_csv('{file}', all_varchar=true))
                        where n % 2 = {part}
                    ) to '{parts / f"{part}.parquet"}' (format parquet)"""
                )
    query = "select * from marts.fct_order_lines order by all"
    built = []
    for place in ("text", "typed"):
        folder = tmp_path / f"from_{place}"
        folder.mkdir()
        shutil.copy(seeded, folder / "warehouse.duckdb")
        variables = SHOP | {"raw_location": str(tmp_path / place)}
        built.append(dbt_run_in_process(manifest, folder, variables, "+fct_order_lines"))
    assert built[0].query(query) == built[1].query(query)
    assert len(built[0].query(query)) == 3


@pytest.mark.parametrize(
    ("variables", "contents", "message"),
    [
        ({"modules": ["shop", "shpo"]}, {}, "names an unknown module `shpo`; known are crm, marketing, shop, support"),
        ({"modules": []}, {}, "var `modules` must be a list of crm, marketing, shop, support"),
        ({"raw_from": "postgres"}, {}, "var `raw_from` must be folder or database; it is `postgres`"),
        ({"raw_encoding": "ebcdic"}, {}, "var `raw_encoding` must be utf-8, utf-16 or latin-1; it is `ebcdic`"),
        ({"raw_from": "database", "raw_location": "x.y; drop table z"}, {}, "must be <attached database>.<schema>"),
        ({}, {"orders": None}, "raw table shop.orders is missing: expected "),
        (
            {},
            {"orders": b"order_id,ordered_at\n1,2024-01-01\n"},
            "lacks the required column(s) customer_id; it has order_id, ordered_at",
        ),
        ({}, {"orders": b""}, "is empty: expected a header line"),
        ({}, {"orders": b"order_id,customer_id,ordered_at,Order_ID\n"}, "has a column name twice"),
        ({"raw_location": "/nowhere/at/all"}, {}, "no files in the folder /nowhere/at/all"),
    ],
)
def test_wrong_input_gives_one_clear_error(
    variables: dict[str, Any], contents: dict[str, bytes | None], message: str, tmp_path: Path, manifest: Manifest
) -> None:
    raw = write_shop(tmp_path / "raw", **contents)
    build = dbt_run_in_process(manifest, tmp_path, SHOP | {"raw_location": str(raw)} | variables, "stg_shop__orders")
    assert build.returncode != 0
    assert message in " ".join(build.output.split())
