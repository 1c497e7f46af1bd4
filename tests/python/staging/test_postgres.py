"""The sample in a real PostgreSQL server gives the same marts as the sample in files."""

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest
from conftest import SAMPLE, Build, dbt_build, dbt_run_in_process, table_hashes
from dbt.contracts.graph.manifest import Manifest
from duckdb_extensions import import_extension


def _postgres_binaries() -> Path | None:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if found:
        return found[-1].parent
    initdb = shutil.which("initdb")
    return Path(initdb).parent if initdb else None


def _as_server_user(command: list[str]) -> list[str]:
    """PostgreSQL refuses to run as root; the Debian package makes the user postgres."""
    return ["runuser", "-u", "postgres", "--", *command] if os.geteuid() == 0 else command


@pytest.fixture
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Start a server of our own in a temporary folder on a free port; yield its connection string."""
    binaries = _postgres_binaries()
    if binaries is None:
        pytest.skip("no PostgreSQL on this machine; .ci/run installs it")
    # Not below pytest's own folders: those are closed to other users, and the server runs as one.
    folder = Path(
        subprocess.run(
            ["mktemp", "-d", "/tmp/crm_postgres.XXXXXX"], capture_output=True, text=True, check=True
        ).stdout.strip()
    )
    if os.geteuid() == 0:
        shutil.chown(folder, "postgres", "postgres")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])

    def run(*command: str) -> None:
        subprocess.run(_as_server_user(list(command)), check=True, capture_output=True, cwd=folder)

    data = str(folder / "data")
    run(str(binaries / "initdb"), "-D", data, "-U", "crm", "--auth=trust", "-E", "UTF8", "--locale=C.UTF-8")
    options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={folder} -c fsync=off"
    run(str(binaries / "pg_ctl"), "-D", data, "-w", "-o", options, "-l", str(folder / "log"), "start")
    try:
        yield f"host=127.0.0.1 port={port} user=crm dbname=postgres"
    finally:
        run(str(binaries / "pg_ctl"), "-D", data, "-m", "immediate", "stop")
        shutil.rmtree(folder, ignore_errors=True)


def _load(connection_string: str) -> None:
    """Put the sample into the schema ``raw_crm``, one column as a number, the rest as text."""
    with duckdb.connect() as con:
        import_extension("postgres_scanner", con=con)
        con.execute("load postgres_scanner")
        con.execute(f"attach '{connection_string}' as pg (type postgres)")
        con.execute("create schema pg.raw_crm")
        for file in sorted((SAMPLE / "raw").glob("*/*.csv")):
            name = f"{file.parent.name}_{file.stem}"
            typed = ", line_number::bigint as line_number" if name == "shop_order_lines" else ""
            excluded = " exclude (line_number)" if typed else ""
            con.execute(
                f"create table pg.raw_crm.{name} as select *{excluded}{typed} from read_csv('{file}', all_varchar=true)"
            )


def test_postgres_gives_the_same_marts_as_files(postgres: str, sample_build: Build, tmp_path: Path) -> None:
    _load(postgres)
    build = dbt_build(
        tmp_path,
        {
            "raw_from": "database",
            "raw_location": "raw_postgres.raw_crm",
            "truth_location": str(SAMPLE / "truth"),
        },
        environment={"CRM_RAW_POSTGRES": postgres},
        arguments=[
            "--resource-type", "model", "--resource-type", "seed", "--select", "+core", "+customer_merges",
            "+dq_rejected_rows", "+dq_repairs",
        ],
    )  # fmt: skip
    # What all other marts are made of.
    expected = table_hashes(sample_build.warehouse, ("marts",))
    found = table_hashes(build.warehouse, ("marts",))
    assert {"marts.dim_customers", "marts.fct_web_sessions", "marts.dq_rejected_rows", "marts.dq_repairs"} < set(found)
    assert {name for name in found if found[name] != expected[name]} == set()


def test_a_missing_table_in_the_database_is_named(
    postgres: str, manifest: Manifest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CRM_RAW_POSTGRES", postgres)
    variables = {"raw_from": "database", "raw_location": "raw_postgres.nowhere", "modules": ["shop"]}
    build = dbt_run_in_process(manifest, tmp_path, variables, "stg_shop__orders")
    assert build.returncode != 0
    assert "raw table shop." in build.output
    assert "expected the table raw_postgres.nowhere.shop_" in build.output


def test_a_password_in_the_connection_string_is_refused(
    manifest: Manifest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CRM_RAW_POSTGRES", "host=localhost password=geheim")
    build = dbt_run_in_process(manifest, tmp_path, {}, "stg_shop__orders")
    assert build.returncode != 0
    assert "CRM_RAW_POSTGRES must not hold a password" in build.output
    assert "geheim" not in build.output
