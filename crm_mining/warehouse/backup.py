"""Encrypted, signed backups of the warehouse, and the way back: ``crm backup``."""

import hashlib
import hmac
import json
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb

from crm_mining.warehouse import connection, erasure, keys, lock
from crm_mining.warehouse.publish import content_hash

_NAME = re.compile(r"[0-9]{8}T[0-9]{6}Z-[0-9]{3}")
_CONTENT = "warehouse.duckdb"
_MANIFEST = "manifest.json"
_FORMAT = 1


class BackupError(RuntimeError):
    """A backup is missing, damaged, forged, or not what its manifest says."""


def create(file: Path, folder: Path) -> str:
    """Copy the warehouse as it is into an encrypted file, with a signed manifest.

    Parameters
    ----------
    file : Path
        The warehouse. It is locked meanwhile, so no build is under way.
    folder : Path
        Where backups are kept.

    Returns
    -------
    str
        The backup's name: the time of its making, UTC. It is there as a whole or not at all.

    Raises
    ------
    KeyRefusedError
        When ``CRM_BACKUP_KEY`` is not set.
    FileNotFoundError
        When there is no warehouse.
    """
    key = keys.needed(keys.BACKUP_KEY, "a backup")
    with lock.locked(file), _scratch(folder) as staged:
        with _connection(staged) as con:
            connection.attach_to_read(con, file)
            connection.attach(con, staged / _CONTENT, "backup", key)
            con.execute(f"copy from database {connection.CATALOG} to backup")
            copied = _hashes(con, "backup")
            if copied != _hashes(con, connection.CATALOG):
                raise BackupError(f"{file} was not copied faithfully")
            con.execute("detach backup")
        manifest = {
            "format": _FORMAT,
            "duckdb": duckdb.__version__,
            "sha256": _sha256(staged / _CONTENT),
            "tables": copied,
            "forgotten": erasure.Ledger(file).content(),
        }
        _write_manifest(staged, manifest, key)
        name = _free_name(folder)
        _sync(staged)
        staged.rename(folder / name)
        connection.sync_folder(folder)
    return name


def names(folder: Path) -> list[str]:
    """List the backups in a folder, oldest first."""
    return sorted(entry.name for entry in folder.iterdir() if _NAME.fullmatch(entry.name)) if folder.is_dir() else []


def manifest_of(folder: Path, name: str) -> dict[str, Any]:
    """Read a backup's manifest and check who signed it.

    Raises
    ------
    BackupError
        When it is missing, unreadable, or not signed with ``CRM_BACKUP_KEY``.
    """
    key = keys.needed(keys.BACKUP_KEY, "reading a backup")
    if not _NAME.fullmatch(name) or name not in names(folder):
        raise BackupError(f"no backup `{name}` in {folder}; there are {', '.join(names(folder)) or 'none'}")
    try:
        signed = json.loads((folder / name / _MANIFEST).read_text(encoding="utf-8"))
        manifest, signature = signed["manifest"], str(signed["signature"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BackupError(f"{name}: the manifest is missing or damaged") from error
    if not hmac.compare_digest(signature, _signature(manifest, key)):
        raise BackupError(f"{name}: the manifest was changed, or signed with another key than CRM_BACKUP_KEY")
    return dict(manifest)


def verify(folder: Path, name: str) -> int:
    """Restore a backup into a scratch place and compare every table with the manifest.

    Parameters
    ----------
    folder : Path
        Where backups are kept.
    name : str
        One of them.

    Returns
    -------
    int
        How many tables are as they were.

    Raises
    ------
    BackupError
        When anything is not as the manifest says; the message names what and where, and nothing is changed.
    """
    with _scratch(folder) as staged:
        return _restore_to(folder, name, staged / _CONTENT, encryption=keys.needed(keys.BACKUP_KEY, "a backup"))


def restore(folder: Path, name: str, file: Path) -> Path | None:
    """Put a backup in the place of the warehouse.

    Parameters
    ----------
    folder, name
        The backup.
    file : Path
        The warehouse. With ``CRM_WAREHOUSE_KEY`` set it is encrypted with that, else it is plain.

    Returns
    -------
    Path or None
        Where the file that stood there before is now; None where there was none.

    Raises
    ------
    BackupError
        When the backup is not as its manifest says. The warehouse is then untouched: it gives way by one rename after
        every table of the restored file has been compared, and who was forgotten meanwhile is forgotten in it, too.
    """
    with lock.locked(file), _scratch(file.resolve().parent) as staged:
        encryption = keys.from_environment(keys.WAREHOUSE_KEY)
        _restore_to(folder, name, staged / _CONTENT, encryption)
        erasure.forget(staged / _CONTENT, _whole_ledger(folder, file), encryption)
        _sync(staged)
        before = None
        if file.exists():
            _settle(file)
            before = file.with_name(f"{file.stem}.before-{name}{file.suffix}")
            before.unlink(missing_ok=True)
            os.link(file, before)
        os.replace(staged / _CONTENT, file)
        connection.sync_folder(file.resolve().parent)
    return before


def prune(folder: Path, keep: int, days: int, now: datetime | None = None) -> list[str]:
    """Remove backups that are beyond the newest ``keep`` and older than ``days`` days; the newest always stays.

    Returns
    -------
    list of str
        The names removed.
    """
    if keep < 1 or days < 0:
        raise ValueError(f"keep must be 1 or more and days 0 or more; they are {keep} and {days}")
    oldest = (now or datetime.now(UTC)) - timedelta(days=days)
    removed = [name for name in names(folder)[:-keep] if _made_at(name) < oldest]
    for name in removed:
        doomed = folder / f".removed-{name}"
        (folder / name).rename(doomed)
        shutil.rmtree(doomed)
    return removed


def _made_at(name: str) -> datetime:
    return datetime.strptime(name[:16], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)


def _free_name(folder: Path) -> str:
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    return next(f"{stamp}-{number:03d}" for number in range(1000) if not (folder / f"{stamp}-{number:03d}").exists())


def _restore_to(folder: Path, name: str, target: Path, encryption: str | None) -> int:
    manifest = manifest_of(folder, name)
    content = folder / name / _CONTENT
    if not content.is_file():
        raise BackupError(f"{name}: {_CONTENT} is missing")
    if _sha256(content) != manifest["sha256"]:
        raise BackupError(f"{name}: {_CONTENT} is damaged (its SHA-256 is not the manifest's)")
    with _connection(target.parent) as con:
        connection.attach(con, content, "backup", keys.needed(keys.BACKUP_KEY, "a backup"), read_only=True)
        connection.attach(con, target, connection.CATALOG, encryption)
        con.execute(f"copy from database backup to {connection.CATALOG}")
        restored = _hashes(con, connection.CATALOG)
        con.execute(f"checkpoint {connection.CATALOG}")
    wrong = sorted(
        table
        for table in restored.keys() | manifest["tables"].keys()
        if restored.get(table) != manifest["tables"].get(table)
    )
    if wrong:
        raise BackupError(f"{name}: not as they were: {', '.join(wrong)}")
    return len(restored)


def _whole_ledger(folder: Path, file: Path) -> erasure.Ledger:
    """Give the warehouse's ledger of who was forgotten, with what every readable backup knows: the file may be lost."""
    ledger = erasure.Ledger(file)
    for name in names(folder):
        try:
            kept = manifest_of(folder, name).get("forgotten")
        except BackupError:  # it can't be restored either
            continue
        if kept:
            ledger.join(kept)
    return ledger


def _hashes(con: duckdb.DuckDBPyConnection, catalog: str) -> dict[str, str]:
    tables = con.execute(
        "select schema_name, table_name from duckdb_tables() where database_name = ? order by all", [catalog]
    ).fetchall()
    return {
        f"{schema}.{table}": content_hash(con, ".".join(f'"{part}"' for part in (catalog, schema, table)))[1]
        for schema, table in tables
    }


@contextmanager
def _connection(folder: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """Connect to nothing yet; what spills to disk is encrypted, too."""
    with duckdb.connect() as con:
        connection.load_encryption(con)
        con.execute(f"set temp_directory = {connection.literal(folder / 'spilled')}")
        con.execute("set temp_file_encryption = true")
        yield con


@contextmanager
def _scratch(folder: Path) -> Iterator[Path]:
    """Make a folder for what is not finished; it goes, and so do those of runs that were killed."""
    folder.mkdir(parents=True, exist_ok=True)
    for left in folder.glob(".unfinished-*"):
        if not _is_alive(int(left.name.rsplit("-", 1)[1])):
            shutil.rmtree(left, ignore_errors=True)
    for left in folder.glob(".removed-*"):
        shutil.rmtree(left, ignore_errors=True)
    staged = folder / f".unfinished-{os.getpid()}"
    shutil.rmtree(staged, ignore_errors=True)
    staged.mkdir(mode=0o700)
    try:
        yield staged
    finally:
        shutil.rmtree(staged, ignore_errors=True)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return pid != os.getpid()


def _settle(file: Path) -> None:
    """Bring the write-ahead log of a killed build into its file: the log must not meet the restored file."""
    log = file.with_name(file.name + ".wal")
    if not log.exists():
        return
    with duckdb.connect() as con:
        connection.load_encryption(con)
        key = keys.from_environment(keys.WAREHOUSE_KEY) if connection.is_encrypted(file) else None
        try:
            connection.attach(con, file, connection.CATALOG, key)
            con.execute(f"checkpoint {connection.CATALOG}")
        except (duckdb.Error, keys.KeyRefusedError):  # a broken file gives way, too; it is kept as it is
            log.replace(log.with_name(log.name + ".before-restore"))


def _write_manifest(staged: Path, manifest: dict[str, Any], key: str) -> None:
    signed = {"manifest": manifest, "signature": _signature(manifest, key)}
    (staged / _MANIFEST).write_text(json.dumps(signed, indent=1, sort_keys=True), encoding="utf-8")


def _signature(manifest: Any, key: str) -> str:
    said = json.dumps(manifest, sort_keys=True, separators=(",", ":")).encode()
    return hmac.new(keys.derived(key, "backup manifest"), said, hashlib.sha256).hexdigest()


def _sha256(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def _sync(folder: Path) -> None:
    for file in folder.iterdir():
        if file.is_file():
            file.chmod(0o600)
            with file.open("rb") as opened:
                os.fsync(opened.fileno())
    connection.sync_folder(folder)


def describe(folder: Path, name: str) -> str:
    """Say in one line what a backup holds, or why that is not known."""
    try:
        tables = manifest_of(folder, name)["tables"]
    except BackupError as error:
        return str(error)
    kept = [table for table in connection.IRREPLACEABLE if table in tables]
    n_rows = sum(int(said.split("-")[0], 16) for said in tables.values())
    return f"{name}  {len(tables)} tables, {n_rows:,} rows, {len(kept)} tables that can't be built again"
