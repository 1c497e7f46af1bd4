"""Repair of text that was written in one character set and read in another (mojibake)."""

import ftfy
import pandas as pd


def repair_encoding(suspicious: pd.DataFrame) -> pd.DataFrame:
    """Undo wrong decodings, value by value.

    Parameters
    ----------
    suspicious : DataFrame
        Any columns, and ``broken_text`` (str, no nulls).

    Returns
    -------
    DataFrame
        The rows whose text changed, with ``repaired_text`` added. Text that merely looks foreign (Greek, Arabic,
        Chinese names) is left alone: ftfy changes a text only when a known mis-decoding explains it and the result is
        more plausible.

    Notes
    -----
    Robyn Speer, *ftfy*, https://doi.org/10.5281/zenodo.2591652.
    """
    distinct = suspicious["broken_text"].drop_duplicates()
    repaired = {text: ftfy.fix_encoding(text) for text in distinct}
    result = suspicious.assign(repaired_text=suspicious["broken_text"].map(repaired).astype("str"))
    changed = result["repaired_text"] != result["broken_text"]
    return result.loc[changed].reset_index(drop=True)
