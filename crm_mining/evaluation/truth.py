"""The truth behind a synthetic world, where there is one."""

from pathlib import Path

import duckdb
import pandas as pd


def find_truth(*, raw_root: str, truth: str, name: str) -> Path | None:
    """Find a truth table: in the folder ``truth`` or, when that is empty, in ``truth`` beside the raw folder.

    Parameters
    ----------
    raw_root : str
        Folder of the raw tables.
    truth : str
        Folder of the truth, or empty.
    name : str
        Table, without its ending.

    Returns
    -------
    Path or None
        ``<folder>/<name>.csv`` or ``.parquet``; None when it is not there and no folder was named.

    Raises
    ------
    FileNotFoundError
        When a folder was named and the table is not in it.
    """
    folder = Path(truth) if truth else Path(raw_root).parent / "truth"
    for candidate in (folder / f"{name}.csv", folder / f"{name}.parquet"):
        if candidate.is_file():
            return candidate
    if truth:
        raise FileNotFoundError(f"truth_location: no {name}.csv or .parquet in {folder}")
    return None


def read_truth(path: Path) -> pd.DataFrame:
    """Read a truth table, all of it as text."""
    return (pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_csv(path, dtype="str")).astype("str")


def sole_persons(sources: duckdb.DuckDBPyRelation, record_persons: Path) -> pd.DataFrame:
    """List the customers whose records are those of one person.

    Parameters
    ----------
    sources : relation
        ``source_table, source_key, customer_id`` of the records to go by.
    record_persons : Path
        Truth table: ``source_table, source_key, person_id``.

    Returns
    -------
    DataFrame
        ``customer_id, person_id``.
    """
    known = sources.df().merge(read_truth(record_persons), on=["source_table", "source_key"])
    return known[["customer_id", "person_id"]].drop_duplicates().drop_duplicates("customer_id", keep=False)
