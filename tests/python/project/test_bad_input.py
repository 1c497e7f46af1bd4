"""Hostile and degenerate deliveries: each builds with every test of the build green, and nothing is lost on the way."""

import csv
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest import ROOT, Build, dbt_run_in_process
from dbt.contracts.graph.manifest import Manifest

from crm_mining.warehouse.export import FORMULA_STARTS, export_marts

Row = dict[str, str]
World = dict[str, list[Row]]

FORMULA = "=cmd|' /C calc'!A0"
SQL = "x'); drop table raw.shop_orders; --"
EMOJI, HEBREW, ARABIC = "Zoë 🦊👩‍👩‍👧", "שרה כהן", "محمد عبد الله"
LONG = "long text " * 1_048_576  # ten megabytes
DATES = ["2024-03-01", "01.03.2024", "20240301", "1 March 2024", "01-Mar-2024"]


def contract() -> dict[str, dict[str, str]]:
    """Return the raw contract: for each table its columns and what they are read as."""
    sources = yaml.safe_load((ROOT / "models" / "staging" / "_sources.yml").read_text())["sources"]
    return {
        f"{source['name']}.{table['name']}": {column["name"]: column["data_type"] for column in table["columns"]}
        for source in sources
        for table in source["tables"]
        if table["name"] != "landed_columns"
    }


def one_row_of_each() -> World:
    """Return one person, known to every system, who did each thing once, all on one day; nothing optional is filled."""
    at = "2024-03-01 10:00:00"
    return {
        "crm.contacts": [{"contact_id": "C1", "last_name": "Muster"}],
        "crm.opportunities": [{"opportunity_id": "D1", "contact_id": "C1", "created_at": at, "stage": "won"}],
        "crm.opportunity_stages": [{"opportunity_id": "D1", "stage": "won", "entered_at": at}],
        "shop.customers": [{"customer_id": "U1", "last_name": "Muster"}],
        "shop.products": [{"product_id": "P1", "product_name": "Spade"}],
        "shop.orders": [{"order_id": "O1", "customer_id": "U1", "ordered_at": at}],
        "shop.order_lines": [{"order_id": "O1", "product_id": "P1", "quantity": "1", "unit_price": "10"}],
        "shop.web_events": [{"visitor_id": "v1", "event_at": at, "event_name": "page_view"}],
        "support.requesters": [{"requester_id": "R1", "full_name": "Muster"}],
        "support.tickets": [{"ticket_id": "T1", "requester_id": "R1", "opened_at": at}],
        "marketing.subscribers": [{"subscriber_id": "S1", "email": "muster@example.org"}],
        "marketing.campaigns": [{"campaign_id": "K1", "campaign_name": "Spring", "started_at": at}],
        "marketing.touches": [{"campaign_id": "K1", "subscriber_id": "S1", "touched_at": at}],
    }


def hostile() -> World:
    """Return texts, numbers and dates as nobody ordered them, in every text field, and an order of 100,000 lines."""
    world = one_row_of_each()
    columns = contract()
    for number, text in enumerate([FORMULA, SQL, "+1", "-1+1", "@SUM(1)", "\tx", EMOJI, HEBREW, ARABIC], start=2):
        for table, rows in one_row_of_each().items():
            keys = {name for name in rows[0] if name.endswith("_id")}
            texts = [name for name, kind in columns[table].items() if kind == "text" and not name.endswith("_id")]
            row = rows[0] | dict.fromkeys(texts, text)
            row |= {name: f"{rows[0][name]}{number}" for name in keys}
            world[table].append(row)
    world["support.tickets"][0]["subject"] = LONG
    world["shop.products"] += [
        {"product_id": f"N{i}", "product_name": f"Lamp {i}", "list_price": text}
        for i, text in enumerate(["1.234,56", "1,234.56", "1234.56", "1 234,56 maybe", "1,234"])
    ]
    world["shop.customers"] += [
        {"customer_id": f"B{i}", "last_name": f"Born{i}", "birth_date": text} for i, text in enumerate(DATES)
    ]
    world["shop.orders"] += [{"order_id": f"A{i}", "customer_id": "U1", "ordered_at": d} for i, d in enumerate(DATES)]
    world["shop.orders"].append({"order_id": "LONG", "customer_id": "U1", "ordered_at": "2024-03-01"})
    world["shop.order_lines"] += [
        {"order_id": "LONG", "line_number": str(i), "product_id": "P1", "quantity": "1", "unit_price": "0.01"}
        for i in range(1, 100_001)
    ]
    return world


def empty() -> World:
    """Return header lines and nothing else."""
    return {table: [] for table in contract()}


def _write(world: World, folder: Path, *, whole_header: bool = True) -> Path:
    for table, columns in contract().items():
        module, name = table.split(".")
        header = list(columns) if whole_header else list(world[table][0])
        (folder / module).mkdir(parents=True, exist_ok=True)
        with (folder / module / f"{name}.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, header)
            writer.writeheader()
            writer.writerows(world[table])
    return folder


@pytest.fixture(scope="module", params=[empty, one_row_of_each, hostile], ids=lambda make: make.__name__)
def built(
    seeded: Path, manifest: Manifest, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[World, Build]:
    make: Callable[[], World] = request.param
    world = make()
    folder = tmp_path_factory.mktemp(make.__name__)
    return world, _build(seeded, manifest, folder, {"raw_location": str(_write(world, folder / "raw"))})


def _build(seeded: Path, manifest: Manifest, folder: Path, variables: dict[str, Any]) -> Build:
    """Build all models with their tests."""
    shutil.copy(seeded, folder / "warehouse.duckdb")
    return dbt_run_in_process(manifest, folder, variables, "path:models path:python_models", command="build")


def _only(built: tuple[World, Build], make: Callable[[], World], request: pytest.FixtureRequest) -> Build:
    if request.node.callspec.params["built"] is not make:
        pytest.skip(f"of {make.__name__} only")
    return built[1]


def test_the_whole_build_is_green(built: tuple[World, Build]) -> None:
    assert built[1].returncode == 0, built[1].output[-6000:]


def test_every_row_is_accepted_or_rejected(built: tuple[World, Build]) -> None:
    world, build = built
    landed = build.query("select count(*) from raw.shop_orders") + build.query(
        "select count(*) from raw.support_tickets"
    )
    assert landed == [(len(world["shop.orders"]),), (len(world["support.tickets"]),)]


def test_formulas_are_harmless_in_exported_files(built: tuple[World, Build], tmp_path: Path) -> None:
    files = export_marts(built[1].warehouse, tmp_path)
    assert len(files) > 20
    csv.field_size_limit(2**27)
    for file in files:
        with file.open(newline="", encoding="utf-8") as lines:
            for row in csv.reader(lines):
                assert not [
                    cell for cell in row if cell.lstrip(" ").startswith(FORMULA_STARTS) and not _is_number(cell)
                ]


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return not cell.startswith("+")


def test_numbers_and_dates_are_read_in_any_unambiguous_notation(
    built: tuple[World, Build], request: pytest.FixtureRequest
) -> None:
    build = _only(built, hostile, request)
    prices = "select list_price::varchar from intermediate.int_products_repaired where source_key like 'N%'"
    assert build.query(prices + " order by source_key") == [("1234.5600",)] * 3 + [(None,)] * 2
    unread = build.query(
        "select old_value from marts.dq_repairs where rule = 'unreadable_value' and source_key like 'N%' order by all"
    )
    assert unread == [("1 234,56 maybe",), ("1,234",)]
    born = "select birth_date::varchar from intermediate.int_person_records_repaired where source_key like 'B%'"
    assert build.query(born) == [("2024-03-01",)] * 5
    ordered = "select ordered_at::date::varchar from marts.fct_orders where order_id like 'A%'"
    assert build.query(ordered) == [("2024-03-01",)] * 5


def test_texts_arrive_as_they_were(built: tuple[World, Build], request: pytest.FixtureRequest) -> None:
    build = _only(built, hostile, request)
    assert build.query("select length(subject) from marts.fct_tickets where ticket_id = 'T1'") == [(len(LONG) - 1,)]
    names = {name for (name,) in build.query("select product_name from marts.dim_products")}
    assert {FORMULA, SQL, HEBREW, ARABIC, "@SUM(1)"} <= names
    assert build.query("select count(*) from raw.shop_orders") == [(16,)]


def test_a_hundred_thousand_lines_are_one_order(built: tuple[World, Build], request: pytest.FixtureRequest) -> None:
    build = _only(built, hostile, request)
    query = "select n_lines, net_amount::double from marts.fct_orders where order_id = 'LONG'"
    assert build.query(query) == [(100_000, 1000.0)]


def test_one_person_in_four_systems_is_a_customer(built: tuple[World, Build], request: pytest.FixtureRequest) -> None:
    build = _only(built, one_row_of_each, request)
    assert build.query("select count(*) from marts.customer_sources") == [(4,)]
    assert 1 <= build.query("select count(*) from marts.dim_customers")[0][0] <= 4


def test_one_customer_makes_no_segments_and_a_status_says_so(
    built: tuple[World, Build], request: pytest.FixtureRequest
) -> None:
    build = _only(built, one_row_of_each, request)
    assert build.query("select distinct status from marts.lifecycle_terms") == [("too_few",)]
    assert build.query("select distinct status from marts.segment_terms") == [("too_few",)]
    found = build.query("select behaviour_status, behaviour_segment_name from marts.customer_segments where has_bought")
    assert set(found) == {("too_few", "all buyers")}
    n_customers = build.query("select count(*) from marts.dim_customers")
    assert build.query("select count(*) from marts.customer_360 where state_summary is not null") == n_customers


def test_only_required_columns_are_enough(seeded: Path, manifest: Manifest, tmp_path: Path) -> None:
    variables: dict[str, Any] = {"raw_location": str(_write(one_row_of_each(), tmp_path / "raw", whole_header=False))}
    build = _build(seeded, manifest, tmp_path, variables)
    assert build.returncode == 0, build.output[-6000:]
