"""Thirty ordinary days raise at most one anomaly; missing rows, an empty column and a switched currency one each."""

import shutil
from datetime import date, timedelta
from pathlib import Path

import duckdb
import pytest
from conftest import Build, dbt_run_in_process
from dbt.contracts.graph.manifest import Manifest

from crm_mining.synth import Parameters, generate

FIRST_DAY, N_BEFORE, N_ORDINARY = date(2025, 3, 1), 7, 30
#: Which rows of a table have come about by a day; of the years before, which say nothing here, two weeks are enough.
CAME_ABOUT = {
    "customers": "try_cast(created_at as date) <= date '{day}'",
    "products": "true",
    "orders": "try_cast(ordered_at as date) between '2025-02-15' and date '{day}'",
    "order_lines": "order_id in (select order_id from orders)",
    "web_events": "try_cast(event_at as date) between '2025-02-15' and date '{day}'",
}
#: What a day adds to the history; the other staging views stay as they are, and what is made of the history can wait.
HISTORY = (
    "path:models/staging/shop int_event_horizon int_quality_run int_raw_profiles int_raw_bins "
    "dq_runs dq_profiles dq_distributions"
)
ALL = "+dq_anomalies"
#: What one day's delivery is spoilt by, and the anomaly that must say so: table, column, measure.
BROKEN = {
    "half of the rows missing": (
        "delete from orders where try_cast(ordered_at as date) = date '{day}' and hash(order_id) % 2 = 0",
        ("shop.orders", "(row)", "row_count"),
    ),
    "a column without values": (
        "update orders set channel = null where try_cast(ordered_at as date) = date '{day}'",
        ("shop.orders", "channel", "null_share"),
    ),
    "another currency": (
        "update orders set currency = 'USD' where try_cast(ordered_at as date) = date '{day}'",
        ("shop.orders", "currency", "stability_index"),
    ),
}


class Shop:
    """The raw tables of a shop, delivered day by day: all that has come about so far."""

    def __init__(self, manifest: Manifest, folder: Path) -> None:
        generate(Parameters(customers=3000, seed=23, activity=4), folder / "world", "parquet", show_progress=False)
        self.manifest = manifest
        self.con = duckdb.connect()
        self.con.execute("create schema world")
        for name in CAME_ABOUT:
            self.con.execute(f"create table world.{name} as from '{folder}/world/raw/shop/{name}.parquet'")

    def build(self, day: date, folder: Path, selection: str = ALL, fault: str = "") -> Build:
        """Build what the anomalies need as of a day, the rows of that day spoilt by ``fault``."""
        shop = folder / "raw" / "shop"
        shop.mkdir(parents=True, exist_ok=True)
        for name, condition in CAME_ABOUT.items():
            self.con.execute(f"create or replace table {name} as from world.{name} where {condition.format(day=day)}")
            if name == "orders" and fault:
                self.con.execute(fault.format(day=day))
            self.con.execute(f"copy {name} to '{shop}/{name}.parquet'")
        variables = {"raw_location": str(shop.parent), "modules": ["shop"], "as_of_date": str(day)}
        build = dbt_run_in_process(self.manifest, folder, variables, selection)
        assert build.returncode == 0, build.output[-6000:]
        return build


@pytest.fixture(scope="module")
def shop(manifest: Manifest, tmp_path_factory: pytest.TempPathFactory) -> Shop:
    return Shop(manifest, tmp_path_factory.mktemp("shop"))


@pytest.fixture(scope="module")
def ordinary(shop: Shop, seeded: Path, tmp_path_factory: pytest.TempPathFactory) -> Build:
    """Build each day after the other, in one warehouse."""
    folder = tmp_path_factory.mktemp("ordinary")
    shutil.copy(seeded, folder / "warehouse.duckdb")
    for number in range(N_BEFORE + N_ORDINARY):
        is_end = number in (0, N_BEFORE + N_ORDINARY - 1)
        build = shop.build(FIRST_DAY + timedelta(days=number), folder, ALL if is_end else HISTORY)
    return build


def test_ordinary_days_raise_at_most_one_anomaly(ordinary: Build) -> None:
    judged = "select count(distinct run_id) from marts.dq_measures where is_judged"
    assert ordinary.query("select count(*) from marts.dq_runs") == [(N_BEFORE + N_ORDINARY,)]
    assert ordinary.query(judged) == [(N_ORDINARY,)]
    assert len(ordinary.query("select run_id, source_table, signs from marts.dq_anomalies")) <= 1


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_day_raises_one(name: str, ordinary: Build, shop: Shop, tmp_path: Path) -> None:
    shutil.copy(ordinary.warehouse, tmp_path / "warehouse.duckdb")
    fault, expected = BROKEN[name]
    day = FIRST_DAY + timedelta(days=N_BEFORE + N_ORDINARY)
    build = shop.build(day, tmp_path, fault=fault)
    found = build.query(
        f"select source_table, column_name, measure, signs from marts.dq_anomalies where as_of_date = date '{day}'"
    )
    assert [row[:3] for row in found] == [expected], found
