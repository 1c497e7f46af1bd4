"""Marts go out as whole generations, shown by one rename: ``crm publish list|rollback``."""

import os
import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import duckdb

from crm_mining.warehouse import connection, keys, masking
from crm_mining.warehouse.erasure import STALE

#: What readers open, beside the folder ``parquet``. All are links into ``current``, the link to one generation.
PUBLISHED = "crm_marts.duckdb"
#: The same in clear and encrypted, where `publish_pii` asks for it.
IN_CLEAR = "crm_marts_in_clear.duckdb"
PARQUET = "parquet"
CURRENT = "current"
GENERATIONS = "generations"
LOG = "operations.publish_log"
LOG_COLUMNS = (
    "generation bigint, run_id varchar, git_commit varchar, published_at timestamp, table_name varchar, n_rows bigint, "
    "content_hash varchar"
)
#: The published file may be read by DuckDB from this version on.
STORAGE_VERSION = "v1.5.0"


class NotPublishedError(RuntimeError):
    """What was built must not leave the warehouse."""


@dataclass(frozen=True)
class Run:
    """What is known of the build: dbt's invocation id, when it began, the commit that it was built from."""

    run_id: str
    started_at: str
    git_commit: str


def content_hash(con: duckdb.DuckDBPyConnection, table: str) -> tuple[int, str]:
    """Count the rows of a table and give a hash of its content that does not depend on their order.

    Parameters
    ----------
    con : DuckDBPyConnection
        Where the table is.
    table : str
        Its name, qualified and quoted.

    Returns
    -------
    tuple of int and str
        Number of rows; count, exclusive or and sum of the rows' 64-bit hashes, in hexadecimal. It finds changes and
        losses; against forgery the signature of a backup's manifest stands.
    """
    n_rows, mixed, total = con.execute(
        "select count(*), coalesce(bit_xor(hash(hashed)), 0), coalesce(sum(hash(hashed)::hugeint), 0) "
        f"from {table} as hashed"
    ).fetchall()[0]
    return n_rows, f"{n_rows:x}-{mixed:016x}-{total:x}"


def current_generation(folder: Path) -> int | None:
    """Give the number of the published generation; None where nothing is published."""
    link = folder / CURRENT
    return int(link.readlink().name) if link.is_symlink() else None


def generations(folder: Path) -> list[int]:
    """List the numbers of the generations that are kept, oldest first."""
    place = folder / GENERATIONS
    return sorted(int(kept.name) for kept in place.iterdir() if kept.name.isdigit()) if place.is_dir() else []


def publish(
    con: duckdb.DuckDBPyConnection,
    folder: Path,
    tables: list[str],
    run: Run,
    *,
    keep: int,
    in_clear: bool = False,
    say: Callable[[str], None] = print,
) -> int:
    """Write the marts aside, check them, and show them by one rename.

    Parameters
    ----------
    con : DuckDBPyConnection
        The warehouse, prepared by :func:`crm_mining.warehouse.masking.prepare`. Every table is copied inside DuckDB, in
        a stream.
    folder : Path
        The folder `publish`.
    tables : list of str
        The marts, ``marts.dim_customers``.
    run : Run
        What was built.
    keep : int
        Number of generations that stay, this one included; it alone when somebody was forgotten since the last.
    in_clear : bool
        Write the marts unmasked, too, into a file encrypted with ``CRM_PUBLISH_KEY``.
    say : callable
        Called with a message on what is done.

    Returns
    -------
    int
        The generation that readers see now. Equal content makes no new one.

    Raises
    ------
    NotPublishedError
        When a column looks personal and is not declared so; nothing has changed then.
    KeyRefusedError
        When the unmasked file is asked for without a key.
    """
    publish_key = keys.needed(keys.PUBLISH_KEY, "the var publish_pii") if in_clear else None
    suspicious = masking.undeclared(con, tables)
    if suspicious:
        raise NotPublishedError(
            "not published: " + "; ".join(suspicious) + ". Say so in the column's YAML (config: {meta: {pii: name}}), "
            "or, where it is no person's, rename what it holds"
        )
    if keys.from_environment(keys.PII_KEY) is None:
        say(f"{keys.PII_KEY} is not set: what would be pseudonyms (names, e-mails, phones) is published empty")
    _create_log(con)
    generation = max([0, *generations(folder), *_logged_generations(con)]) + 1
    staged = _staging_folder(folder)
    hashes = _write(con, staged / PUBLISHED, {table: masking.masked(con, table) for table in tables}, staged / PARQUET)
    if publish_key:
        _write(con, staged / IN_CLEAR, {table: f"select * from {table}" for table in tables}, None, publish_key)
    current = current_generation(folder)
    stale = (folder / STALE).exists()  # somebody was forgotten, whom earlier generations know
    same = (
        current is not None
        and not stale
        and _is_same(con, current, hashes)
        and in_clear == (folder / CURRENT / IN_CLEAR).exists()
    )
    _record(con, run, current if same and current is not None else generation, hashes)
    if same and current is not None:
        shutil.rmtree(staged)
        say(f"published already: generation {current}, {len(tables)} marts, nothing has changed")
        return current
    _add_log(con, staged)
    _sync(staged)
    place = folder / GENERATIONS / f"{generation:06d}"
    staged.rename(place)
    connection.sync_folder(place.parent)
    show(folder, generation)
    _drop_oldest(folder, 1 if stale else keep)
    (folder / STALE).unlink(missing_ok=True)
    say(f"published: generation {generation}, {len(tables)} marts, {folder / PUBLISHED}")
    return generation


def show(folder: Path, generation: int) -> None:
    """Let readers see a generation from now on, by one atomic rename; those who read go on with what they opened.

    Parameters
    ----------
    folder : Path
        The folder `publish`.
    generation : int
        One of those kept.

    Raises
    ------
    ValueError
        When it is not kept.
    """
    if generation not in generations(folder):
        kept = ", ".join(str(number) for number in generations(folder)) or "none"
        raise ValueError(f"generation {generation} is not kept; kept are {kept}")
    place = Path(GENERATIONS) / f"{generation:06d}"
    for name in (PUBLISHED, PARQUET, IN_CLEAR):
        if not (folder / name).is_symlink() and (folder / place / name).exists():
            _link(folder / name, Path(CURRENT) / name)
    _link(folder / CURRENT, place)
    if not (folder / CURRENT / IN_CLEAR).exists():
        (folder / IN_CLEAR).unlink(missing_ok=True)
    connection.sync_folder(folder)


def rollback(folder: Path, generation: int | None = None) -> int:
    """Show the generation before the current one, or a given one, and give its number."""
    current = current_generation(folder)
    if current is None:
        raise ValueError(f"nothing is published in {folder}")
    earlier = [number for number in generations(folder) if number < current]
    if generation is None and not earlier:
        raise ValueError(f"generation {current} is the oldest that is kept")
    chosen = earlier[-1] if generation is None else generation
    show(folder, chosen)
    return chosen


def git_commit(project: Path) -> str:
    """Give the commit that the project stands on, with -dirty where files differ; unknown outside a repository."""
    try:
        said = subprocess.run(
            ["git", "-C", str(project), "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"],
            capture_output=True, text=True, timeout=10, check=True,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return "unknown"
    return said.stdout.strip()


def _staging_folder(folder: Path) -> Path:
    place = folder / GENERATIONS
    place.mkdir(parents=True, exist_ok=True)
    for left in place.glob(".building*"):  # of a run that was killed; the warehouse's lock says that it is gone
        shutil.rmtree(left)
    staged = place / ".building"
    (staged / PARQUET).mkdir(parents=True)
    return staged


def _write(
    con: duckdb.DuckDBPyConnection, file: Path, queries: dict[str, str], parquet: Path | None, key: str | None = None
) -> dict[str, tuple[int, str]]:
    con.execute("set variable crm_attach_key = ?", [key])
    encryption = ", encryption_key getvariable('crm_attach_key')" if key else ""
    con.execute(f"attach {connection.literal(file)} as publishing (storage_version '{STORAGE_VERSION}'{encryption})")
    con.execute("set variable crm_attach_key = null")
    try:
        con.execute("begin")
        con.execute("create schema publishing.marts")
        for table, query in queries.items():
            con.execute(f"create table publishing.{table} as {query}")
            if parquet:
                name = _plain_name(table.split(".")[1])
                target = connection.literal(parquet / f"{name}.parquet")
                con.execute(f"copy publishing.{table} to {target} (format parquet, compression zstd)")
        con.execute("commit")
        return {table: content_hash(con, f"publishing.{table}") for table in queries}
    except duckdb.Error:
        con.execute("rollback")
        raise
    finally:
        con.execute("detach publishing")


def _plain_name(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
        raise ValueError(f"a mart's name is made of letters, digits and _; not `{name}`")
    return name


def _create_log(con: duckdb.DuckDBPyConnection) -> None:
    con.execute("create schema if not exists operations")
    con.execute(f"create table if not exists {LOG} ({LOG_COLUMNS})")


def _logged_generations(con: duckdb.DuckDBPyConnection) -> list[int]:
    return [number for (number,) in con.execute(f"select distinct generation from {LOG} order by all").fetchall()]


def _record(con: duckdb.DuckDBPyConnection, run: Run, generation: int, hashes: dict[str, tuple[int, str]]) -> None:
    rows = [
        [generation, run.run_id, run.git_commit, run.started_at, table, n_rows, content]
        for table, (n_rows, content) in hashes.items()
    ]
    row = "(?, ?, ?, ?, ?, ?, ?)"
    con.execute(f"insert into {LOG} values {', '.join([row] * len(rows))}", [cell for cells in rows for cell in cells])


def _is_same(con: duckdb.DuckDBPyConnection, generation: int, hashes: dict[str, tuple[int, str]]) -> bool:
    logged = con.execute(
        f"select distinct table_name, content_hash from {LOG} where generation = ? order by all", [generation]
    ).fetchall()
    return logged == sorted((table, content) for table, (_, content) in hashes.items())


def _add_log(con: duckdb.DuckDBPyConnection, staged: Path) -> None:
    """Give the published file and its folder of Parquet files the log, this generation's rows included."""
    con.execute(f"attach {connection.literal(staged / PUBLISHED)} as publishing")
    try:
        con.execute(f"create table publishing.marts.publish_log as from {LOG}")
        target = connection.literal(staged / PARQUET / "publish_log.parquet")
        con.execute(f"copy publishing.marts.publish_log to {target} (format parquet, compression zstd)")
    finally:
        con.execute("detach publishing")


def _link(link: Path, target: Path) -> None:
    fresh = link.with_name(f".{link.name}.new")
    fresh.unlink(missing_ok=True)
    fresh.symlink_to(target)
    fresh.replace(link)


def _sync(folder: Path) -> None:
    """Bring a folder to the disk, readable for all and writable for none; what is in clear for its owner alone."""
    for file in folder.rglob("*"):
        if file.is_file():
            with file.open("rb") as opened:
                os.fsync(opened.fileno())
            file.chmod(0o400 if file.name == IN_CLEAR else 0o444)
    connection.sync_folder(folder / PARQUET)
    connection.sync_folder(folder)


def _drop_oldest(folder: Path, keep: int) -> None:
    current = current_generation(folder)
    for number in generations(folder)[: -max(keep, 1)]:
        if number != current:
            shutil.rmtree(folder / GENERATIONS / f"{number:06d}")


def default_folder(warehouse_file: Path) -> Path:
    """Give where a warehouse publishes to: ``CRM_PUBLISH``, or the folder `publish` beside it."""
    return Path(os.environ.get("CRM_PUBLISH", "") or warehouse_file.resolve().parent / "publish")
