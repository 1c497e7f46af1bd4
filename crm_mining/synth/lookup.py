"""The tables that the generator draws from: names, places, products, rules, words, as CSV files in ``lookups/``."""

import csv
from functools import cache
from importlib.resources import files


@cache
def rows(name: str) -> tuple[dict[str, str], ...]:
    """Read a table.

    Parameters
    ----------
    name : str
        Its file in ``lookups/`` without the ending.

    Returns
    -------
    tuple of dict
        One per row, column to text; the order is that of the file, and the generator depends on it.
    """
    text = files("crm_mining.synth").joinpath("lookups", f"{name}.csv").read_text(encoding="utf-8")
    return tuple(csv.DictReader(text.splitlines()))


def column(name: str, wanted: str, **having: str) -> tuple[str, ...]:
    """List one column of the rows that have the given values.

    Examples
    --------
    >>> column("titles", "title", language="en")
    ('Dr', 'Prof')
    """
    return tuple(row[wanted] for row in rows(name) if all(row[key] == value for key, value in having.items()))
