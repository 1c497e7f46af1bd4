"""Builds of the warehouse, as a user runs them: the dbt command in a process of its own."""

import contextlib
import fcntl
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pytest
from dbt.adapters.duckdb.connections import DuckDBConnectionManager
from dbt.cli.main import dbtRunner
from dbt.contracts.graph.manifest import Manifest

from crm_mining.warehouse import keys
from crm_mining.warehouse.connection import CATALOG, attach, attach_to_read, connect, is_encrypted, load_encryption

ROOT = Path(__file__).resolve().parents[2]
SAMPLE = ROOT / "seeds" / "sample"
PII_KEY = "key-of-the-tests-and-of-nothing-else"
TESTS_ONLY = ["--exclude-resource-type", "unit_test"]


@dataclass
class Build:
    """A finished dbt run."""

    warehouse: Path
    returncode: int
    output: str

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """Run one query on the warehouse."""
        with open_to_read(self.warehouse) as con:
            return con.execute(sql).fetchall()


def dbt_build(
    folder: Path,
    variables: Mapping[str, Any] | None = None,
    *,
    arguments: list[str] | None = None,
    environment: Mapping[str, str] | None = None,
    check: bool = True,
) -> Build:
    """Run `dbt build` with a warehouse, target and logs of its own below ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    warehouse = folder / "warehouse.duckdb"
    command = [
        str(Path(sys.executable).parent / "dbt"), "build", "--no-use-colors", "--target-path", str(folder / "target"),
        "--log-path", str(folder / "logs"), "--vars", json.dumps(variables or {}), *(arguments or TESTS_ONLY),
    ]  # fmt: skip
    places = {
        "CRM_WAREHOUSE": str(warehouse), "DBT_PROJECT_DIR": str(ROOT), "DBT_PROFILES_DIR": str(ROOT),
        keys.PII_KEY: PII_KEY,
    }  # fmt: skip
    finished = subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, **places, **(environment or {})},
        capture_output=True,
        text=True,
        check=False,
    )
    output = finished.stdout + finished.stderr
    if check and finished.returncode != 0:
        pytest.fail(f"dbt build failed:\n{output[-6000:]}", pytrace=False)
    return Build(warehouse, finished.returncode, output)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that parse the project or build a warehouse, so that `make test-quick` can leave them out."""
    for item in items:
        fixtures = set(getattr(item, "fixturenames", ()))
        if fixtures & {"manifest", "seeded", "sample_build"} or hasattr(getattr(item, "module", None), "dbt_build"):
            item.add_marker("warehouse")


@pytest.fixture(scope="session")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    """Parse the project once for runs within this process: they start in a second instead of ten."""
    folder = _shared(tmp_path_factory) / "manifest"
    os.environ.update({"DBT_PROJECT_DIR": str(ROOT), "DBT_PROFILES_DIR": str(ROOT)})
    with _one_at_a_time(folder):  # who comes second finds what the first has parsed
        parsed = dbtRunner().invoke(
            ["parse", "--target-path", str(folder / "target"), "--log-path", str(folder / "logs"), "--quiet"]
        )
    assert isinstance(parsed.result, Manifest)
    return parsed.result


def dbt_run_in_process(
    manifest: Manifest, folder: Path, variables: Mapping[str, Any], selection: str, command: str = "run"
) -> Build:
    """Run the selected models; their vars must be such as are read when a node runs, not when the project is parsed.

    Where the truth lies is one of the latter, so it is looked for beside the raw files that are given here.
    """
    messages: list[str] = []
    metas = [node.config.meta for node in manifest.nodes.values() if "raw_root" in node.config.meta]
    runner = dbtRunner(manifest=manifest, callbacks=[lambda event: messages.append(event.info.msg)])
    # Nobody reads the manifest or the log of such a run, and writing the first takes longer than a small run itself.
    # dbt's threads wait for each other more than they help: one takes 4/5 of the processor's time that two take.
    places = [
        "--target-path", str(folder / "target"), "--log-path", str(folder / "logs"), "--no-write-json",
        "--log-level-file", "none", "--threads", "1",
    ]  # fmt: skip
    if command == "build":
        places += TESTS_ONLY
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CRM_WAREHOUSE", str(folder / "warehouse.duckdb"))
        for meta in metas:
            patch.setitem(meta, "raw_root", str(variables.get("raw_location", meta["raw_root"])))
        patch.setenv(keys.PII_KEY, PII_KEY)
        finished = runner.invoke(
            [command, "--quiet", "-s", *selection.split(), "--vars", json.dumps(dict(variables)), *places]
        )
    if DuckDBConnectionManager._ENV is not None:  # dbt keeps it for the next run, and nobody else could read the file
        DuckDBConnectionManager._ENV.close()
        DuckDBConnectionManager._ENV._plugins["dbt_plugin"].lock.release()
        DuckDBConnectionManager._ENV = None
    return Build(
        folder / "warehouse.duckdb", 0 if finished.success else 1, "\n".join([*messages, str(finished.exception or "")])
    )


def _shared(factory: pytest.TempPathFactory) -> Path:
    """Give the folder that all processes of the test run share."""
    is_alone = "PYTEST_XDIST_WORKER" not in os.environ
    return factory.getbasetemp() if is_alone else factory.getbasetemp().parent


@contextlib.contextmanager
def _one_at_a_time(folder: Path) -> Iterator[None]:
    """Let one process at a time work on a shared folder."""
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _built_once(name: str, factory: pytest.TempPathFactory, build: Callable[[Path], Build]) -> Build:
    """Build in a folder that all processes of the test run share; who comes second waits for the first."""
    folder = _shared(factory) / name
    result = folder.with_suffix(".json")
    with _one_at_a_time(folder):
        if not result.exists():
            built = build(folder)
            result.write_text(json.dumps({"returncode": built.returncode, "output": built.output}))
    return Build(folder / "warehouse.duckdb", **json.loads(result.read_text()))


@pytest.fixture(scope="session")
def seeded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Load the seeds once: a warehouse to begin with."""
    return _built_once(
        "seeded", tmp_path_factory, lambda folder: dbt_build(folder, arguments=["--resource-type", "seed"])
    ).warehouse


@pytest.fixture(scope="session")
def sample_build(tmp_path_factory: pytest.TempPathFactory) -> Build:
    """Build the bundled sample, once for all tests."""
    return _built_once(
        "sample", tmp_path_factory, lambda folder: dbt_build(folder, {"raw_location": str(SAMPLE / "raw")})
    )


@pytest.fixture(scope="session")
def forgettable(sample_build: Build) -> tuple[list[str], list[str]]:
    """Choose a customer of several records who has ordered: the records, and words that nobody else's record holds."""
    ((customer, email, phone),) = sample_build.query(
        "select customer_id, email, mobile from marts.dim_customers where n_sources >= 3 and email is not null "
        "and mobile is not null and customer_id in (select customer_id from marts.fct_orders) "
        "order by customer_id limit 1"
    )
    records = sample_build.query(
        f"select record_id from marts.customer_sources where customer_id = '{customer}' order by all"
    )
    return [record for (record,) in records], [email, phone, customer]


def open_to_read(warehouse: Path) -> duckdb.DuckDBPyConnection:
    """Open a warehouse to read, encrypted or not, with files and data frames in reach, as :func:`connect` has not."""
    con = duckdb.connect()
    attach_to_read(con, warehouse)
    con.execute(f"use {CATALOG}")
    return con


def open_to_write(warehouse: Path) -> duckdb.DuckDBPyConnection:
    """Open a warehouse to change it, encrypted or not."""
    con = duckdb.connect()
    load_encryption(con)
    attach(con, warehouse, CATALOG, keys.needed(keys.WAREHOUSE_KEY, "a test") if is_encrypted(warehouse) else None)
    con.execute(f"use {CATALOG}")
    return con


def table_hashes(
    warehouse: Path, schemas: tuple[str, ...] = ("marts", "intermediate")
) -> dict[str, tuple[int, int | None]]:
    """Per table its number of rows and the sum of its rows' hashes: equal for equal content in any order."""
    with connect(warehouse) as con:
        names = con.execute(
            "select schema_name || '.' || table_name from duckdb_tables() "
            "where schema_name in (select unnest(?)) order by all",
            [list(schemas)],
        ).fetchall()
        return {
            name: con.execute(f"select count(*), sum(hash(t::varchar)::hugeint) from {name} as t").fetchall()[0]
            for (name,) in names
        }


def mentions(file: Path, words: list[str]) -> list[str]:
    """List the tables of a file in which any of the words stands, in whatever column."""
    found = []
    pattern = "|".join(re.escape(word) for word in words)
    with connect(file) as con:
        tables = con.execute("select schema_name || '.' || table_name from duckdb_tables() order by all").fetchall()
        assert tables
        for (table,) in tables:
            said = con.execute(
                f"select bool_or(regexp_matches(t::varchar, ?, 'i')) from {table} as t", [pattern]
            ).fetchall()[0][0]
            if said:
                found.append(table)
    return found
