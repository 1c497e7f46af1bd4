"""Marts as CSV files for a spreadsheet: ``crm export``."""

from pathlib import Path

import duckdb

from crm_mining.warehouse import connection, masking

#: A cell that begins so is taken for a formula by the common spreadsheet programs.
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n")


def export_marts(
    file: Path, folder: Path, tables: list[str] | None = None, *, show_personal_data: bool = False
) -> list[Path]:
    """Write marts as CSV files in which no text can be taken for a formula.

    Parameters
    ----------
    file : Path
        The warehouse of a build.
    folder : Path
        Where the files go, one per mart; made if it is not there.
    tables : list of str, optional
        Names of marts; all of them when left out.
    show_personal_data : bool
        Write persons in clear. Otherwise they are masked as in published marts (:mod:`crm_mining.warehouse.masking`).

    Returns
    -------
    list of Path
        The files written. A text that begins with one of ``FORMULA_STARTS``, also after blanks, gets an apostrophe in
        front (OWASP, *CSV Injection*); numbers, dates and booleans stay as they are, so that -5 is still a number.
        Every cell is in quotes, UTF-8.

    Raises
    ------
    FileNotFoundError
        When there is no warehouse.
    ValueError
        When a table is no mart.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with connection.connect(file, writable=folder) as con:
        masking.prepare(con)
        marts = [
            name
            for (name,) in con.execute(
                "select table_name from duckdb_tables() where schema_name = 'marts' order by table_name"
            ).fetchall()
        ]
        unknown = sorted(set(tables or []) - set(marts))
        if unknown:
            raise ValueError(f"no such mart: {', '.join(unknown)}")
        return [_export(con, name, folder.resolve() / f"{name}.csv", show_personal_data) for name in tables or marts]


def _export(con: duckdb.DuckDBPyConnection, table: str, file: Path, show_personal_data: bool) -> Path:
    mart = f"marts.{table}"
    relation = con.sql(f"from {mart}" if show_personal_data else masking.masked(con, mart))
    columns = ", ".join(
        _neutral(name) if str(kind) == "VARCHAR" else f'"{name}"'
        for name, kind in zip(relation.columns, relation.types, strict=True)
    )
    relation.project(columns).order("all").write_csv(str(file), quoting="all")
    return file


def _neutral(column: str) -> str:
    starts = "".join(f"\\x{ord(start):02x}" for start in FORMULA_STARTS)
    dangerous = f"regexp_matches(\"{column}\", '^[ ]*[{starts}]')"
    return f'case when {dangerous} then \'\'\'\' || "{column}" else "{column}" end as "{column}"'
