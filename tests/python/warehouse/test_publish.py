"""Readers see whole generations of audited, masked marts, or what they saw before."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest
from conftest import PII_KEY, Build, dbt_run_in_process
from dbt.contracts.graph.manifest import Manifest

from crm_mining.warehouse import connection, keys, masking, publish

RUN = publish.Run("a-run", "2026-01-01 10:00:00", "abcdef")
MARTS = ["marts.people", "marts.pii_inventory"]


@pytest.fixture
def con(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[duckdb.DuckDBPyConnection]:
    """Make a warehouse of one mart and the inventory."""
    monkeypatch.setenv(keys.PII_KEY, PII_KEY)
    with duckdb.connect(str(tmp_path / "warehouse.duckdb")) as con:
        connection.load_encryption(con)
        masking.prepare(con)
        con.execute("create schema marts")
        con.execute(
            "create table marts.people as select i as id, 'ann' || i || '@x.de' as email from range(100) as t(i)"
        )
        con.execute(
            "create table marts.pii_inventory as select 'marts.people' as table_name, 'email' as column_name, "
            "'email' as pii_class, 'pseudonym' as masking"
        )
        yield con


def _publish(con: duckdb.DuckDBPyConnection, folder: Path, keep: int = 3, in_clear: bool = False) -> int:
    return publish.publish(con, folder, MARTS, RUN, keep=keep, in_clear=in_clear)


def _seen(folder: Path, query: str = "select count(*) from marts.people") -> list[tuple[object, ...]]:
    with duckdb.connect(str(folder / publish.PUBLISHED), read_only=True) as reader:
        return reader.execute(query).fetchall()


def test_a_generation_is_whole_masked_logged_and_read_only(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    folder = tmp_path / "publish"
    assert _publish(con, folder) == 1
    hashed = keys.pseudonym(PII_KEY, "ann7@x.de")
    assert _seen(folder, "select email from marts.people where id = 7") == [(hashed,)]
    with duckdb.connect() as reader:
        parquet = reader.execute(f"select email from '{folder}/parquet/people.parquet' where id = 7").fetchall()
    assert parquet == [(hashed,)]
    assert _seen(folder, "select generation, run_id, git_commit, table_name, n_rows from marts.publish_log") == [
        (1, "a-run", "abcdef", "marts.people", 100), (1, "a-run", "abcdef", "marts.pii_inventory", 1),
    ]  # fmt: skip
    logged = _seen(folder, "select content_hash from marts.publish_log where table_name = 'marts.people'")
    with connection.connect(folder / publish.PUBLISHED) as reader:
        assert publish.content_hash(reader, "marts.people") == (100, logged[0][0])
    assert not (folder / publish.PUBLISHED).stat().st_mode & 0o222


def test_equal_content_is_no_new_generation_and_old_ones_go(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    folder = tmp_path / "publish"
    assert [_publish(con, folder) for _ in range(2)] == [1, 1]
    for expected in (2, 3, 4):
        con.execute("insert into marts.people select max(id) + 1, 'eve@x.de' from marts.people")
        assert _publish(con, folder) == expected
    assert publish.generations(folder) == [2, 3, 4]
    assert publish.rollback(folder) == 3
    assert _seen(folder) == [(102,)]
    assert publish.rollback(folder) == 2
    with pytest.raises(ValueError, match="generation 2 is the oldest that is kept"):
        publish.rollback(folder)
    assert publish.rollback(folder, 4) == 4
    with pytest.raises(ValueError, match="generation 1 is not kept; kept are 2, 3, 4"):
        publish.rollback(folder, 1)
    assert _seen(folder) == [(103,)]


def test_who_reads_goes_on_with_what_was_opened(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    folder = tmp_path / "publish"
    _publish(con, folder, keep=1)
    with duckdb.connect(str(folder / publish.PUBLISHED), read_only=True) as reader:
        con.execute("delete from marts.people where id > 10")
        _publish(con, folder, keep=1)
        assert reader.execute("select count(*) from marts.people").fetchall() == [(100,)]
    assert _seen(folder) == [(11,)]


def test_what_looks_personal_is_not_published(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    folder = tmp_path / "publish"
    _publish(con, folder)
    con.execute("alter table marts.people add column note varchar")
    con.execute("update marts.people set note = 'call eve@x.de' where id = 3")
    with pytest.raises(publish.NotPublishedError, match=r"marts\.people\.note holds e-mail addresses"):
        _publish(con, folder)
    assert publish.generations(folder) == [1]
    assert _seen(folder, "select count(*) from duckdb_columns() where column_name = 'note'") == [(0,)]


def test_a_failure_on_the_way_changes_nothing_and_the_next_run_cleans_up(
    con: duckdb.DuckDBPyConnection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "publish"
    _publish(con, folder)
    con.execute("delete from marts.people where id > 10")
    for step in ("_write", "_add_log", "_sync", "show"):
        with monkeypatch.context() as patch:

            def fails(*_: object, **__: object) -> None:
                raise OSError("disk full")

            patch.setattr(publish, step, fails)
            with pytest.raises(OSError, match="disk full"):
                _publish(con, folder)
        assert _seen(folder) == [(100,)], step
    _publish(con, folder)
    assert _seen(folder) == [(11,)]
    assert not list((folder / "generations").glob(".building*"))


def test_the_unmasked_twin_is_encrypted_and_goes_when_not_asked_for(
    con: duckdb.DuckDBPyConnection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "publish"
    with pytest.raises(keys.KeyRefusedError, match="CRM_PUBLISH_KEY is not set: the var publish_pii needs a key"):
        _publish(con, folder, in_clear=True)
    key = "p" * 40
    monkeypatch.setenv(keys.PUBLISH_KEY, key)
    _publish(con, folder, in_clear=True)
    twin = folder / publish.IN_CLEAR
    assert connection.is_encrypted(twin)
    assert b"ann7@x.de" not in twin.read_bytes()
    with duckdb.connect() as reader:
        connection.attach(reader, twin, "twin", key, read_only=True)
        assert reader.execute("select email from twin.marts.people where id = 7").fetchall() == [("ann7@x.de",)]
    _publish(con, folder)
    assert not os.path.lexists(twin)


def test_a_build_publishes_the_marts_as_they_are_masked(sample_build: Build) -> None:
    folder = sample_build.warehouse.parent / "publish"
    marts = {
        name for (name,) in sample_build.query("select table_name from duckdb_tables() where schema_name = 'marts'")
    }
    assert {file.stem for file in (folder / publish.PARQUET).iterdir()} == marts | {"publish_log"}
    logged = {
        name: (n_rows, content)
        for name, n_rows, content in _seen(folder, "select table_name, n_rows, content_hash from marts.publish_log")
    }
    with connection.connect(folder / publish.PUBLISHED) as reader:
        assert {name: publish.content_hash(reader, name) for name in logged} == logged
    counts = {name: sample_build.query(f"select count(*) from {name}")[0][0] for name in logged}
    assert {name: n_rows for name, (n_rows, _) in logged.items()} == counts
    assert f"published: generation 1, {len(marts)} marts" in sample_build.output


def test_a_partial_run_leaves_what_is_published(sample_build: Build, manifest: Manifest, tmp_path: Path) -> None:
    shutil.copy(sample_build.warehouse, tmp_path / "warehouse.duckdb")
    shutil.copytree(sample_build.warehouse.parent / "publish", tmp_path / "publish", symlinks=True)
    for command in ("build", "run"):
        built = dbt_run_in_process(manifest, tmp_path, {}, "dim_products", command)
        assert built.returncode == 0, built.output
        assert publish.generations(tmp_path / "publish") == [1]
        assert ("Not published: " in built.output) == (command == "build")
