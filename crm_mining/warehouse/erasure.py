"""People who ask to be forgotten: out of every table, never landed again, out of restored backups."""

import csv
import json
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb

from crm_mining.warehouse import connection, keys

#: Left beside published generations that may hold somebody who was forgotten; the next one replaces them all.
STALE = ".erased"
_RECORD = re.compile(r"[a-z][a-z_]*:.+")
#: Which columns of a table name a record or a customer.
_RECORD_COLUMNS = ("record_id", "record_a", "record_b", "matched_record_id")


class ErasureError(ValueError):
    """A request can't be understood, or the ledger was kept with another key."""


class Ledger:
    """Who was forgotten, as keyed hashes of their records: a file beside the warehouse, which no restore undoes.

    Parameters
    ----------
    file : Path
        The warehouse; the ledger is ``<file>.erased``, one JSON object. Without ``CRM_PII_KEY`` it can't be read.
    """

    def __init__(self, file: Path) -> None:
        self.path = file.with_name(file.name + ".erased")

    def hashes(self) -> list[str]:
        """Read the hashes; none where nobody was forgotten."""
        kept = self.content()
        return [] if kept is None else self._checked(kept)

    def content(self) -> dict[str, Any] | None:
        """Read the ledger as it is, which needs no key; None where nobody was forgotten."""
        return dict(json.loads(self.path.read_text(encoding="utf-8"))) if self.path.exists() else None

    def add(self, records: set[str]) -> None:
        """Add records (``shop:U1014``), on disk when this returns."""
        key = keys.needed(keys.PII_KEY, "forgetting people")
        self._write({*self.hashes(), *(record_hash(key, record) for record in records)})

    def join(self, kept: dict[str, Any]) -> None:
        """Add those whom another ledger of the same key holds, such as a backup's."""
        hashes = set(self.hashes())
        if not hashes.issuperset(self._checked(kept)):
            self._write(hashes.union(self._checked(kept)))

    def _write(self, hashes: set[str]) -> None:
        fresh = self.path.with_name(self.path.name + ".new")
        with fresh.open("w", encoding="utf-8") as opened:
            json.dump({"check": self._check(), "records": sorted(hashes)}, opened)
            opened.flush()
            os.fsync(opened.fileno())
        fresh.replace(self.path)

    def _checked(self, kept: dict[str, Any]) -> list[str]:
        if kept["check"] != self._check():
            raise ErasureError(
                f"{self.path} was kept with another {keys.PII_KEY}: with this one who was forgotten would come back"
            )
        return [str(said) for said in kept["records"]]

    def _check(self) -> str:
        return keys.pseudonym(keys.needed(keys.PII_KEY, "forgetting people"), "erasure ledger")


def record_hash(key: str, record: str) -> str:
    """Give the keyed hash of a record, as the macro ``pseudonym`` does."""
    return keys.pseudonym(key, record.strip().lower())


def requests(file: Path) -> set[str]:
    """Read who asked: the column ``record_id`` (``shop:U1014``, as in customer_sources) of a CSV file."""
    if not file.exists():
        return set()
    with file.open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines))
    if rows and "record_id" not in rows[0]:
        raise ErasureError(f"{file} lacks the column record_id")
    asked = {(row["record_id"] or "").strip() for row in rows} - {""}
    wrong = sorted(record for record in asked if not _RECORD.fullmatch(record))
    if wrong:
        raise ErasureError(f"{file}: a record_id is <module>:<key>, shop:U1014; row {len(rows)} or before is not")
    return asked


def before_build(
    file: Path, asked: set[str], publish_folder: Path, encryption: str | None, say: Callable[[str], None] = print
) -> list[str]:
    """Forget who asked, in the warehouse as the last build left it, and say whose records must not be landed again.

    Parameters
    ----------
    file : Path
        The warehouse, locked by the caller; it need not be there.
    asked : set of str
        Records of those who asked. All records that the last build resolved into the same customer are theirs, too.
    publish_folder : Path
        Its generations are marked stale when there is somebody new: the next build replaces all of them.
    encryption : str, optional
        Key of the warehouse.
    say : callable
        Called with a message on how many were forgotten.

    Returns
    -------
    list of str
        Keyed hashes of all records that were ever forgotten.
    """
    ledger = Ledger(file)
    if not asked and not ledger.path.exists():
        return []
    key = keys.needed(keys.PII_KEY, "forgetting people")
    known = set(ledger.hashes())
    records = {record for record in asked if record_hash(key, record) not in known}
    if not records:
        return sorted(known)
    theirs = records | (_same_customers(file, records, encryption) if file.is_file() else set())
    ledger.add(theirs)
    if file.is_file():
        forget(file, ledger, encryption)
    if publish_folder.is_dir():
        (publish_folder / STALE).touch()
    say(f"forgotten: {len(records)} requests, {len(theirs)} records; {ledger.path.name} holds keyed hashes alone")
    return ledger.hashes()


def forget(file: Path, ledger: Ledger, encryption: str | None) -> int:
    """Take those who were forgotten out of a warehouse file that nobody has open, and leave no freed block behind.

    Parameters
    ----------
    file : Path
        The file. It is written anew and swapped in by one rename.
    ledger : Ledger
        Who was forgotten.
    encryption : str, optional
        Key of the file.

    Returns
    -------
    int
        How many records of theirs were in it. Rows of marts that name one of them, or a customer who is nobody else,
        are gone; raw and intermediate tables are emptied, for the next build to fill them without those people.
    """
    hashes = ledger.hashes()
    if not hashes:
        return 0
    key = keys.needed(keys.PII_KEY, "forgetting people")
    fresh = file.with_name(file.name + ".forgetting")
    fresh.unlink(missing_ok=True)
    with duckdb.connect() as con:
        connection.load_encryption(con)
        keys.install_pseudonyms(con, key)
        connection.attach(con, file, connection.CATALOG, encryption)
        con.execute(f"use {connection.CATALOG}")
        con.execute("create temp table hashes as select unnest(?) as hash", [hashes])
        n_records = _collect(con)
        if n_records == 0:
            return 0
        con.execute("begin")
        for schema, table in _tables(con):
            _forget_in_table(con, schema, table)
        con.execute("commit")
        connection.attach(con, fresh, "fresh", encryption)
        con.execute(f"copy from database {connection.CATALOG} to fresh")
        con.execute("detach fresh")
        con.execute(f"checkpoint {connection.CATALOG}")
    shutil.copymode(file, fresh)
    fresh.replace(file)
    return n_records


def _tables(con: duckdb.DuckDBPyConnection) -> list[tuple[str, str]]:
    return con.execute(
        "select schema_name, table_name from duckdb_tables() where database_name = ? order by all", [connection.CATALOG]
    ).fetchall()


def _columns(con: duckdb.DuckDBPyConnection, schema: str, table: str) -> set[str]:
    rows = con.execute(
        "select column_name from duckdb_columns() where database_name = ? and schema_name = ? and table_name = ?",
        [connection.CATALOG, schema, table],
    ).fetchall()
    return {name for (name,) in rows}


def _same_customers(file: Path, records: set[str], encryption: str | None) -> set[str]:
    with duckdb.connect() as con:
        connection.load_encryption(con)
        connection.attach(con, file, connection.CATALOG, encryption, read_only=True)
        con.execute(f"use {connection.CATALOG}")
        if ("marts", "customer_sources") not in _tables(con):
            return set()
        found = con.execute(
            "select record_id from marts.customer_sources where customer_id in "
            "(select customer_id from marts.customer_sources where lower(record_id) in (select lower(unnest(?))))",
            [sorted(records)],
        ).fetchall()
    return {record for (record,) in found}


def _collect(con: duckdb.DuckDBPyConnection) -> int:
    """Collect into temporary tables whose records and customers are to go: what the file knows of the hashes."""
    con.execute("create temp table gone_records (record_id varchar, source varchar, source_key varchar)")
    con.execute("create temp table gone_customers (customer_id varchar)")
    known = set(_tables(con))
    for schema, table in (
        ("marts", "customer_sources"),
        ("marts", "customer_merges"),
        ("intermediate", "int_person_records"),
    ):
        if (schema, table) in known:
            con.execute(
                f"insert into gone_records select distinct record_id, split_part(record_id, ':', 1), "
                f"substr(record_id, strpos(record_id, ':') + 1) from {schema}.{table} "
                "where crm_pseudonym(lower(trim(record_id))) in (from hashes)"
            )
    for schema, table in (("marts", "customer_sources"), ("marts", "customer_merges")):
        if (schema, table) in known:
            con.execute(
                f"insert into gone_customers select customer_id from {schema}.{table} where customer_id is not null "
                "group by customer_id having bool_and(record_id in (select record_id from gone_records))"
            )
    return int(con.execute("select count(distinct record_id) from gone_records").fetchall()[0][0])


def _is_made_anew(schema: str, table: str) -> bool:
    """Tell whether a table may name people without their keys, and the next build fills it again, without them."""
    if schema == "raw":
        return table != "landed_columns"
    if schema == "intermediate":
        return f"{schema}.{table}" not in connection.IRREPLACEABLE
    return (schema, table) in (("marts", "dq_rejected_rows"), ("marts", "identity_skipped_blocks"))


def _forget_in_table(con: duckdb.DuckDBPyConnection, schema: str, table: str) -> None:
    columns = _columns(con, schema, table)
    name = f'"{schema}"."{table}"'
    if schema == "test_failures":
        con.execute(f"drop table {name}")
        return
    if _is_made_anew(schema, table):
        con.execute(f"delete from {name}")
        return
    conditions = [
        f"{column} in (select record_id from gone_records)" for column in _RECORD_COLUMNS if column in columns
    ]
    if "customer_id" in columns:
        conditions.append("customer_id in (from gone_customers)")
    if {"source_table", "source_key"} <= columns:
        conditions.append(
            "(split_part(source_table, '.', 1), source_key) in (select (source, source_key) from gone_records)"
        )
    if conditions:
        con.execute(f"delete from {name} where {' or '.join(conditions)}")
