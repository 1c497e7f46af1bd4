"""Who asks to be forgotten is in no table, no file, no restored backup, and does not come back; sums stay."""

import json
import shutil
from pathlib import Path

import duckdb
import pytest
from conftest import PII_KEY, SAMPLE, Build, dbt_run_in_process, mentions
from dbt.contracts.graph.manifest import Manifest

from crm_mining.warehouse import backup, connection, erasure, keys, publish

LANDING = (
    "stg_shop__customers stg_shop__orders stg_crm__contacts stg_support__requesters stg_marketing__subscribers "
    "stg_support__tickets"
)


@pytest.fixture(autouse=True)
def _keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(keys.PII_KEY, PII_KEY)
    monkeypatch.setenv(keys.BACKUP_KEY, "b" * 40)


def test_a_person_is_forgotten_and_not_landed_again(
    sample_build: Build, manifest: Manifest, forgettable: tuple[list[str], list[str]], tmp_path: Path
) -> None:
    records, words = forgettable
    file, asked = tmp_path / "warehouse.duckdb", tmp_path / "asked.csv"
    shutil.copy(sample_build.warehouse, file)
    shutil.copytree(sample_build.warehouse.parent / "publish", tmp_path / "publish", symlinks=True)
    assert {"marts.dim_customers", "raw.shop_customers", "marts.customer_sources"} <= set(mentions(file, words))
    name = backup.create(file, tmp_path / "backups")
    with connection.connect(file) as con:
        before = con.execute(
            "select count(*), sum(stated) "
            "from (select try_cast(amount as decimal(18, 2)) as stated from raw.shop_orders)"
        ).fetchall()

    asked.write_text(f"record_id,requested_on\n{records[0]},2026-01-05\n", encoding="utf-8")
    said: list[str] = []
    key = keys.from_environment(keys.WAREHOUSE_KEY) if connection.is_encrypted(file) else None
    forgotten = erasure.before_build(file, erasure.requests(asked), tmp_path / "publish", key, said.append)
    assert len(forgotten) == len(records)
    assert said == [f"forgotten: 1 requests, {len(records)} records; warehouse.duckdb.erased holds keyed hashes alone"]
    assert mentions(file, words) == []
    content = file.read_bytes()  # no freed block keeps what a row held
    assert not [word for word in words if word.encode() in content]
    ledger = (tmp_path / "warehouse.duckdb.erased").read_text(encoding="utf-8")
    assert not [text for text in (*words, *records) if text in ledger]

    asked.write_text("record_id,requested_on\n", encoding="utf-8")  # the request itself need not be kept
    variables = {"raw_location": str(SAMPLE / "raw"), "erasure_requests": str(asked)}
    landed = dbt_run_in_process(manifest, tmp_path, variables, LANDING)
    assert landed.returncode == 0, landed.output
    assert mentions(file, words[:2]) == []
    with connection.connect(file) as con:
        after = con.execute(
            "select count(*), sum(stated) "
            "from (select try_cast(amount as decimal(18, 2)) as stated from raw.shop_orders)"
        ).fetchall()
    assert after == before

    backup.restore(tmp_path / "backups", name, file)
    assert mentions(file, words) == []
    assert (tmp_path / "publish" / erasure.STALE).exists()


def test_the_next_generation_replaces_all_that_know_the_person(sample_build: Build, tmp_path: Path) -> None:
    shutil.copytree(sample_build.warehouse.parent / "publish", tmp_path / "publish", symlinks=True)
    shutil.copy(sample_build.warehouse, tmp_path / "warehouse.duckdb")
    (tmp_path / "publish" / erasure.STALE).touch()
    from conftest import open_to_write

    from crm_mining.warehouse import masking

    with open_to_write(tmp_path / "warehouse.duckdb") as con:
        masking.prepare(con)
        marts = ["marts.dim_products", "marts.pii_inventory"]
        number = publish.publish(con, tmp_path / "publish", marts, publish.Run("r", "2026-01-01 10:00:00", "c"), keep=7)
    assert publish.generations(tmp_path / "publish") == [number]
    assert not (tmp_path / "publish" / erasure.STALE).exists()


def test_a_machine_that_lost_the_ledger_learns_it_from_later_backups(tmp_path: Path) -> None:
    file, folder = tmp_path / "warehouse.duckdb", tmp_path / "backups"
    with duckdb.connect(str(file)) as con:
        con.execute("create schema marts")
        con.execute(
            "create table marts.customer_sources as from (values ('shop:U1', 'C1', 'Ann'), ('shop:U2', 'C2', 'Bob')) "
            "as t (record_id, customer_id, name)"
        )
    early = backup.create(file, folder)
    erasure.before_build(file, {"shop:U1"}, tmp_path / "publish", None, lambda _: None)
    assert mentions(file, ["Ann"]) == []
    backup.create(file, folder)
    for lost in tmp_path.glob("warehouse.duckdb*"):
        lost.unlink()
    backup.restore(folder, early, file)
    assert mentions(file, ["Ann"]) == []
    assert mentions(file, ["Bob"]) == ["marts.customer_sources"]
    assert erasure.Ledger(file).hashes() == [erasure.record_hash(PII_KEY, "shop:U1")]


def test_another_key_or_none_is_refused_as_soon_as_somebody_was_forgotten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "warehouse.duckdb"
    known = erasure.before_build(file, {"shop:U1"}, tmp_path / "publish", None, lambda _: None)
    assert known == [erasure.record_hash(PII_KEY, "shop:U1")]
    assert erasure.before_build(file, set(), tmp_path / "publish", None) == known
    assert json.loads((tmp_path / "warehouse.duckdb.erased").read_text())["records"] == known
    monkeypatch.setenv(keys.PII_KEY, "x" * 40)
    with pytest.raises(erasure.ErasureError, match="was kept with another CRM_PII_KEY"):
        erasure.before_build(file, set(), tmp_path / "publish", None)
    monkeypatch.delenv(keys.PII_KEY)
    with pytest.raises(keys.KeyRefusedError, match="forgetting people needs a key"):
        erasure.before_build(file, set(), tmp_path / "publish", None)


@pytest.mark.parametrize("said", ["record_id\nU1014\n", "customer\nshop:U1\n", "record_id\n'; drop table x\n"])
def test_a_request_that_names_no_record_is_an_error(said: str, tmp_path: Path) -> None:
    (tmp_path / "asked.csv").write_text(said, encoding="utf-8")
    with pytest.raises(erasure.ErasureError, match="record_id"):
        erasure.requests(tmp_path / "asked.csv")
