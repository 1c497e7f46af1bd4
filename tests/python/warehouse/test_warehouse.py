"""One holder at a time, who says so; an encrypted file opens with its key alone."""

import os
import subprocess
import sys
import time
from pathlib import Path

import duckdb
import pytest
from conftest import ROOT, dbt_run_in_process
from dbt.adapters.duckdb.utils import TargetConfig
from dbt.contracts.graph.manifest import Manifest

from crm_mining.warehouse import connection, keys
from crm_mining.warehouse.dbt_plugin import Plugin
from crm_mining.warehouse.lock import Lock

KEY = "0123456789abcdef" * 4
HOLD = """
import pathlib, sys, time
from crm_mining.warehouse.lock import Lock
Lock(pathlib.Path(sys.argv[1])).acquire()
print("held", flush=True)
time.sleep(900)
"""


@pytest.fixture
def encrypted(tmp_path: Path) -> Path:
    """Make an encrypted file with one table."""
    file = tmp_path / "warehouse.duckdb"
    with duckdb.connect() as con:
        connection.load_encryption(con)
        connection.attach(con, file, "warehouse", KEY)
        con.execute("create table warehouse.people as select 'Ann Lee of Way 1' as name from range(1000)")
    return file


def test_an_encrypted_file_opens_with_its_key_alone(encrypted: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert connection.is_encrypted(encrypted)
    assert b"Ann Lee" not in encrypted.read_bytes()
    monkeypatch.delenv(keys.WAREHOUSE_KEY, raising=False)
    for key, said in ((None, "CRM_WAREHOUSE_KEY is not set"), ("x" * 40, "was not encrypted with this key")):
        if key:
            monkeypatch.setenv(keys.WAREHOUSE_KEY, key)
        with pytest.raises(keys.KeyRefusedError, match=said):
            connection.connect(encrypted)
    monkeypatch.setenv(keys.WAREHOUSE_KEY, KEY)
    with connection.connect(encrypted) as con:
        assert con.execute("select count(*) from people").fetchall() == [(1000,)]


def test_a_plain_file_is_refused_as_an_encrypted_one(tmp_path: Path) -> None:
    file = tmp_path / "plain.duckdb"
    duckdb.connect(str(file)).close()
    assert not connection.is_encrypted(file)
    with duckdb.connect() as con, pytest.raises(keys.KeyRefusedError, match="is not encrypted, although a key is set"):
        connection.attach(con, file, "plain", KEY)


def test_a_reader_reaches_no_other_file(encrypted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(keys.WAREHOUSE_KEY, KEY)
    (tmp_path / "out").mkdir()
    with connection.connect(encrypted, writable=tmp_path / "out") as con:
        con.execute(f"copy people to '{tmp_path}/out/people.csv'")
        for forbidden in (
            f"copy people to '{tmp_path}/people.csv'",
            f"copy people to '{tmp_path}/out/../people.csv'",
            "from read_text('/etc/hostname')",
            f"attach '{tmp_path}/other.duckdb'",
            "set enable_external_access = true",
            "set allowed_directories = ['/']",
            "install spatial",
        ):
            with pytest.raises(duckdb.Error):
                con.execute(forbidden)
        with pytest.raises(duckdb.Error):
            con.execute("create table more as select 1")


def test_a_build_installs_and_fetches_nothing_and_reaches_no_other_file(tmp_path: Path) -> None:
    configuration = {"warehouse": str(tmp_path / "warehouse.duckdb"), "erasure_requests": str(tmp_path / "none.csv")}
    plugin = Plugin("dbt_plugin", configuration)
    (tmp_path / "publish").mkdir()
    with duckdb.connect(str(tmp_path / "warehouse.duckdb")) as con:
        connection.load_encryption(con)
        plugin.update_connection_config(None, {})
        plugin.configure_connection(con)
        plugin.store(TargetConfig(None, [], {"do": "shut", "project": str(ROOT)}))
        cursor = con.cursor()
        plugin.configure_cursor(cursor)
        for forbidden in (
            "install spatial",
            "load spatial",
            "install anything from community",
            "from read_csv('https://example.org/people.csv')",
            "copy (select 1) to 's3://bucket/people.parquet'",
            "from read_text('/etc/hostname')",
            f"copy (select 1) to '{tmp_path}/out.csv'",
            f"copy (select 1) to '{tmp_path}/publish/../out.csv'",
            f"attach '{tmp_path}/other.duckdb'",
            "set enable_external_access = true",
            "set allowed_directories = ['/']",
            "set lock_configuration = false",
            "set extension_directory = '/tmp'",
        ):
            with pytest.raises(duckdb.Error, match=r"disabled|locked|create directory|not found"):
                cursor.execute(forbidden)
        assert cursor.execute("select current_setting('TimeZone')").fetchall() == [("UTC",)]
        cursor.execute("create table made as from range(100000)")
        cursor.execute("checkpoint")
        cursor.execute(f"copy made to '{tmp_path}/publish/made.parquet'")
    plugin.lock.release()


@pytest.mark.parametrize(
    ("target", "key", "said"),
    [
        ("dev", None, "is encrypted; build it with CRM_TARGET=secure"),
        ("secure", None, "CRM_WAREHOUSE_KEY is not set: the target `secure` needs a key"),
        ("secure", "x" * 40, "was not encrypted with this key"),
    ],
)
def test_a_build_without_the_right_key_says_so_and_harms_nothing(
    target: str, key: str | None, said: str, encrypted: Path, manifest: Manifest, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = encrypted.read_bytes()
    monkeypatch.setenv("CRM_TARGET", target)
    monkeypatch.delenv(keys.WAREHOUSE_KEY, raising=False)
    if key:
        monkeypatch.setenv(keys.WAREHOUSE_KEY, key)
    built = dbt_run_in_process(manifest, encrypted.parent, {}, "countries", "seed")
    assert built.returncode != 0
    assert said in built.output
    assert encrypted.read_bytes() == before


def test_a_second_build_says_who_holds_the_warehouse_and_waits_or_ends(tmp_path: Path, manifest: Manifest) -> None:
    file = tmp_path / "warehouse.duckdb"
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(file)], cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    try:
        ended = dbt_run_in_process(manifest, tmp_path, {"when_locked": "end"}, "countries", "seed")
    except BaseException:
        holder.kill()
        raise
    assert ended.returncode != 0
    assert f"is held by process {holder.pid} since 20" in ended.output
    said: list[str] = []
    started = time.monotonic()
    lock = Lock(file)

    def kill_the_holder(message: str) -> None:
        said.append(message)
        holder.kill()

    lock.acquire("wait", kill_the_holder)
    assert time.monotonic() - started < 30
    assert len(said) == 1
    assert f"is held by process {holder.pid} since" in said[0]
    lock.release()
    holder.wait()
    with pytest.raises(ValueError, match="when_locked must be wait or end; it is `perhaps`"):
        lock.acquire("perhaps")
