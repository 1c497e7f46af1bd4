"""What encryption costs: every table of a warehouse written and read, plain and encrypted by turns, in one process.

.venv/bin/python benchmarks/encryption.py --warehouse warehouse.duckdb
"""

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import duckdb

from crm_mining.warehouse import connection


def seconds(con: duckdb.DuckDBPyConnection, place: Path, key: str | None) -> tuple[float, float]:
    """Copy the whole warehouse into a new file and read it back; give the processor's seconds of both."""
    file = place / f"{'encrypted' if key else 'plain'}.duckdb"
    file.unlink(missing_ok=True)
    started = time.process_time()
    if key:
        connection.attach(con, file, "written", key)
    else:  # in the format that encrypted files have, so that it is encryption that is compared
        con.execute(f"attach {connection.literal(file)} as written (storage_version 'v1.4.0')")
    con.execute(f"copy from database {connection.CATALOG} to written")
    con.execute("detach written")
    written = time.process_time() - started
    started = time.process_time()
    connection.attach(con, file, "written", key, read_only=True)
    tables = con.execute(
        "select schema_name, table_name from duckdb_tables() where database_name = 'written'"
    ).fetchall()
    for schema, table in tables:
        con.execute(f'select bit_xor(hash(t)) from written."{schema}"."{table}" as t').fetchall()
    con.execute("detach written")
    return written, time.process_time() - started


def main() -> None:
    """Read the arguments, take turns, print the ratios of the medians."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--warehouse", type=Path, default=Path("warehouse.duckdb"))
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    with duckdb.connect() as con, tempfile.TemporaryDirectory() as place:
        connection.load_encryption(con)
        connection.attach_to_read(con, arguments.warehouse)
        rounds = [
            (*seconds(con, Path(place), None), *seconds(con, Path(place), "0123456789abcdef" * 4))
            for _ in range(arguments.rounds)
        ]
    plain_write, plain_read, write, read = (statistics.median(column) for column in zip(*rounds, strict=True))
    print(f"write: {write / plain_write:.2f} times the plain file's {plain_write:.2f} s")
    print(f"read:  {read / plain_read:.2f} times the plain file's {plain_read:.2f} s")


if __name__ == "__main__":
    main()
