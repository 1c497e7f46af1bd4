"""A backup comes back as it was, or says why not and harms nothing."""

import json
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest
from conftest import Build
from dbt.contracts.graph.manifest import Manifest

from crm_mining.cli import main
from crm_mining.warehouse import backup, connection, keys

KEY = "b" * 40
PERSON = "Ann Lee of Way 1"


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a warehouse with tables, a view and a killed build's write-ahead log."""
    monkeypatch.setenv(keys.BACKUP_KEY, KEY)
    monkeypatch.delenv(keys.WAREHOUSE_KEY, raising=False)
    file = tmp_path / "warehouse.duckdb"
    with duckdb.connect(str(file)) as con:
        con.execute("create schema marts")
        con.execute("create schema raw")
        con.execute(f"create table marts.customer_merges as select i, '{PERSON}' as who from range(500) as t(i)")
        con.execute("create table raw.landed as select unnest([1, 2, null]) as i")
        con.execute("create view raw.seen as select * from warehouse.raw.landed")
        con.execute("create table marts.empty (i bigint)")
    return file


def _hashes(file: Path) -> dict[str, str]:
    with connection.connect(file) as con:
        return backup._hashes(con, connection.CATALOG)


def test_what_was_lost_comes_back_and_what_stood_there_is_kept(file: Path, tmp_path: Path) -> None:
    folder = tmp_path / "backups"
    before = _hashes(file)
    name = backup.create(file, folder)
    assert PERSON.encode() not in (folder / name / "warehouse.duckdb").read_bytes()
    with duckdb.connect(str(file)) as con:
        con.execute("delete from marts.customer_merges where i > 3")
    changed = _hashes(file)
    kept = backup.restore(folder, name, file)
    assert _hashes(file) == before
    assert kept is not None
    assert _hashes(kept) == changed
    with connection.connect(file) as con:
        assert con.execute("select count(*) from raw.seen").fetchall() == [(3,)]
    assert sorted(entry.name for entry in tmp_path.iterdir() if entry.name.startswith(".")) == []


def test_a_restored_file_is_encrypted_where_the_warehouse_is(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = _hashes(file)
    name = backup.create(file, tmp_path / "backups")
    monkeypatch.setenv(keys.WAREHOUSE_KEY, "w" * 40)
    backup.restore(tmp_path / "backups", name, file)
    assert connection.is_encrypted(file)
    assert PERSON.encode() not in file.read_bytes()
    assert _hashes(file) == before
    again = backup.create(file, tmp_path / "backups")
    assert backup.verify(tmp_path / "backups", again) == len(before)


def _flip_a_bit(place: Path, position: float) -> None:
    content = bytearray((place / "warehouse.duckdb").read_bytes())
    content[int(len(content) * position)] ^= 1
    (place / "warehouse.duckdb").write_bytes(content)


def _truncate(place: Path) -> None:
    content = (place / "warehouse.duckdb").read_bytes()
    (place / "warehouse.duckdb").write_bytes(content[: len(content) // 2])


def _forge(place: Path) -> None:
    signed = json.loads((place / "manifest.json").read_text())
    signed["manifest"]["tables"].pop("marts.empty")
    (place / "manifest.json").write_text(json.dumps(signed))


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        *((lambda place, at=at: _flip_a_bit(place, at), "is damaged") for at in (0.0, 0.2, 0.5, 0.999)),
        (_truncate, "is damaged"),
        (lambda place: (place / "warehouse.duckdb").unlink(), "warehouse.duckdb is missing"),
        (lambda place: (place / "manifest.json").unlink(), "manifest is missing or damaged"),
        (lambda place: (place / "manifest.json").write_text("{"), "manifest is missing or damaged"),
        (_forge, "manifest was changed, or signed with another key"),
    ],
)
def test_harm_is_told_and_does_no_harm(file: Path, tmp_path: Path, harm: Callable[[Path], object], said: str) -> None:
    folder = tmp_path / "backups"
    name = backup.create(file, folder)
    before = file.read_bytes()
    harm(folder / name)
    for attempt in (lambda: backup.verify(folder, name), lambda: backup.restore(folder, name, file)):
        with pytest.raises(backup.BackupError, match=said):
            attempt()
    assert file.read_bytes() == before
    assert not list(tmp_path.rglob(".unfinished*"))


def test_another_key_or_none_opens_nothing(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "backups"
    name = backup.create(file, folder)
    monkeypatch.setenv(keys.BACKUP_KEY, "x" * 40)
    with pytest.raises(backup.BackupError, match="another key"):
        backup.verify(folder, name)
    monkeypatch.delenv(keys.BACKUP_KEY)
    with pytest.raises(keys.KeyRefusedError, match="CRM_BACKUP_KEY is not set"):
        backup.restore(folder, name, file)
    with pytest.raises(keys.KeyRefusedError, match="CRM_BACKUP_KEY is not set"):
        backup.create(file, folder)
    assert backup.names(folder) == [name]


def test_old_backups_go_by_count_and_age(file: Path, tmp_path: Path) -> None:
    folder = tmp_path / "backups"
    made = backup.create(file, folder)
    for name in ("20250101T000000Z-000", "20250102T000000Z-000", "20250301T000000Z-000"):
        shutil.copytree(folder / made, folder / name)
    now = datetime(2025, 3, 10, tzinfo=UTC)
    assert backup.prune(folder, keep=3, days=0, now=now) == ["20250101T000000Z-000"]
    assert backup.prune(folder, keep=1, days=30, now=now) == ["20250102T000000Z-000"]
    assert backup.names(folder) == ["20250301T000000Z-000", made]
    with pytest.raises(ValueError, match="keep must be 1 or more"):
        backup.prune(folder, keep=0, days=0)


def test_the_command_says_what_it_did_and_refuses_in_one_line(
    file: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    places = ["--warehouse", str(file), "--folder", str(tmp_path / "backups")]
    for verb, expected in (
        ("create", "backup 20"),
        ("list", "3 tables, 503 rows"),
        ("verify", "3 tables as they were"),
        ("prune", "removed: nothing"),
    ):
        assert main(["backup", verb, *places]) == 0
        said = capfd.readouterr()
        assert expected in said.out
        assert KEY not in said.out + said.err
    assert main(["backup", "verify", "../etc", *places]) == 2
    refused = capfd.readouterr().err
    assert refused.startswith("no backup `../etc` in")
    assert refused.count("\n") == 1


def test_what_no_build_can_make_again_is_in_the_backup(
    sample_build: Build, manifest: Manifest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(keys.BACKUP_KEY, KEY)
    name = backup.create(sample_build.warehouse, tmp_path / "backups")
    tables = backup.manifest_of(tmp_path / "backups", name)["tables"]
    assert tables.keys() >= connection.IRREPLACEABLE.keys()
    incremental = {
        f"{node.schema}.{node.alias}"
        for node in manifest.nodes.values()
        if node.resource_type == "model" and node.config.materialized == "incremental"
    }
    assert incremental - connection.IRREPLACEABLE.keys() == set()
