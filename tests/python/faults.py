"""What crash tests are made of: processes that are killed while they work, and what readers see meanwhile."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

from conftest import ROOT

from crm_mining.warehouse import connection, publish

#: Changes a mart and publishes all of them: arguments are the warehouse, a number, and the statement that changes.
PUBLISH = """
import sys
from pathlib import Path
import duckdb
from crm_mining.warehouse import connection, keys, lock, masking, publish
file, step, change = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
lock.Lock(file).acquire("end")
key = keys.needed(keys.WAREHOUSE_KEY, "a test") if connection.is_encrypted(file) else None
with duckdb.connect() as con:
    connection.load_encryption(con)
    connection.attach(con, file, connection.CATALOG, key)
    con.execute(f"use {connection.CATALOG}")
    masking.prepare(con)
    con.execute(change)
    marts = con.execute("select 'marts.' || table_name from duckdb_tables() where schema_name = 'marts' order by all")
    tables = [name for (name,) in marts.fetchall()]
    print("begun", flush=True)
    run = publish.Run(f"run {step}", "2026-01-01 10:00:00", "abc")
    publish.publish(con, file.parent / "publish", tables, run, keep=3)
"""
BACKUP = """
import sys
from pathlib import Path
from crm_mining.warehouse import backup, lock
file = Path(sys.argv[1])
print("begun", flush=True)
if sys.argv[2] == "backup":
    backup.create(file, file.parent / "backups")
else:
    backup.restore(file.parent / "backups", backup.names(file.parent / "backups")[0], file)
"""


def start(script: str, file: Path, *arguments: str) -> subprocess.Popen[str]:
    """Start a script in a process group of its own."""
    return subprocess.Popen(
        [sys.executable, "-c", script, str(file), *arguments], cwd=ROOT, text=True, start_new_session=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)}, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def run_to_the_end(script: str, file: Path, *arguments: str) -> float:
    """Run a script to its end, which must be a good one, and give the seconds after its start-up."""
    process = start(script, file, *arguments)
    assert process.stdout is not None
    process.stdout.readline()
    begun = time.monotonic()
    _, errors = process.communicate(timeout=600)
    assert process.returncode == 0, errors
    return time.monotonic() - begun


def kill_at(script: str, file: Path, after: float, *arguments: str) -> None:
    """Kill a script, and all that it started, n seconds after its start-up."""
    process = start(script, file, *arguments)
    assert process.stdout is not None
    process.stdout.readline()
    time.sleep(after)
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


def seen_by_readers(folder: Path, n_tables: int | None = None) -> tuple[int, dict[str, str]]:
    """Open what is published and hold its content against its own log.

    Parameters
    ----------
    folder : Path
        The folder `publish`.
    n_tables : int, optional
        Number of tables, drawn at random, that are looked at instead of all.

    Returns
    -------
    tuple
        The generation, and the content hash of each mart in the log.
    """
    with connection.connect(folder / publish.PUBLISHED) as reader:
        logged = reader.execute(
            "select generation, table_name, content_hash from marts.publish_log where generation = "
            "(select max(generation) from marts.publish_log) order by all"
        ).fetchall()
        there = reader.execute("select 'marts.' || table_name from duckdb_tables() order by all").fetchall()
        hashes = {table: content for _, table, content in logged}
        assert {*hashes, "marts.publish_log"} == {name for (name,) in there}
        for table in random.sample(sorted(hashes), len(hashes) if n_tables is None else n_tables):
            assert publish.content_hash(reader, table)[1] == hashes[table], table
    return logged[0][0], hashes
