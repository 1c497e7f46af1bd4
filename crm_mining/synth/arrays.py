"""Small vectorised tools that the whole generator shares: weighted draws and text columns."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from crm_mining.common.arrays import BoolArray, FloatArray, IntArray, TextArray


def texts(values: Sequence[str | None]) -> TextArray:
    """Make an object array of strings, which numpy would otherwise turn into fixed-width text."""
    out = np.empty(len(values), dtype=object)
    out[:] = values
    return out


def only(known: BoolArray, values: TextArray) -> TextArray:
    """Keep the values where `known` is true, and empty the others."""
    out = np.empty(len(values), dtype=object)
    out[known] = values[known]
    return out


def zipf(n: int, flat_head: float = 4.0, exponent: float = 0.9) -> FloatArray:
    """Give n probabilities that fall with rank as word and name frequencies do (Zipf-Mandelbrot), summing to 1."""
    weight = 1.0 / (np.arange(n) + flat_head) ** exponent
    return np.asarray(weight / weight.sum())


def draw(rng: np.random.Generator, weight: FloatArray | Sequence[float], size: int) -> IntArray:
    """Draw `size` positions with probability proportional to `weight`, by inverting the distribution function."""
    cumulative = np.cumsum(np.asarray(weight, dtype=float))
    position = np.searchsorted(cumulative, rng.random(size) * cumulative[-1], side="right")
    return np.asarray(np.minimum(position, len(cumulative) - 1), dtype=np.int64)


def draw_by_row(rng: np.random.Generator, weights: FloatArray, row: IntArray) -> IntArray:
    """Draw a column for each entry of `row`, with probability proportional to that row of `weights`."""
    n_columns = weights.shape[1]
    share = np.cumsum(weights, axis=1)
    share = share / share[:, -1:]
    # All rows' distribution functions laid end to end: row r occupies (r, r + 1], so that one binary search serves all.
    ladder = (np.arange(len(weights))[:, None] + share).ravel()
    position = np.searchsorted(ladder, row + rng.random(len(row)), side="right") - row * n_columns
    return np.asarray(np.clip(position, 0, n_columns - 1), dtype=np.int64)


def rank_within(group: IntArray) -> IntArray:
    """Count the members of each group from 0; members of one group must stand together."""
    if len(group) == 0:
        return np.zeros(0, dtype=np.int64)
    starts = np.flatnonzero(np.concatenate([[True], group[1:] != group[:-1]]))
    lengths = np.diff(np.append(starts, len(group)))
    return np.arange(len(group), dtype=np.int64) - np.repeat(starts, lengths)


def fold(text: str) -> str:
    """Write a name with the lower-case letters an e-mail address may have."""
    text = text.lower()
    for letter, plain in (
        ("ä", "ae"),
        ("ö", "oe"),
        ("ü", "ue"),
        ("ß", "ss"),
        ("ł", "l"),
        ("ø", "o"),
        ("ı", "i"),  # noqa: RUF001
        ("æ", "ae"),
    ):
        text = text.replace(letter, plain)
    text = unicodedata.normalize("NFKD", text)
    return "".join(letter for letter in text if letter.isascii() and letter.isalnum())


def text_column(values: TextArray) -> pa.Array:
    """Turn an object array of str and None into an Arrow text column."""
    return pa.array(values, type=pa.string(), from_pandas=True)


def look_up(pool: Sequence[str | None] | TextArray, position: IntArray, known: BoolArray | None = None) -> pa.Array:
    """Take texts from a pool by position; empty where `known` is false."""
    indices = pa.array(position, mask=None if known is None else ~known)
    return pa.array(list(pool), type=pa.string()).take(indices)


def key_column(prefix: str, number: IntArray, known: BoolArray | None = None) -> pa.Array:
    """Write keys such as O10234; empty where `known` is false."""
    digits = pc.cast(pa.array(number, mask=None if known is None else ~known), pa.string())
    return pc.binary_join_element_wise(pa.scalar(prefix), digits, "")


def instant_column(seconds: IntArray, known: BoolArray | None = None) -> pa.Array:
    """Write instants as 'YYYY-MM-DD HH:MM:SS'; empty where `known` is false."""
    column = pa.array(seconds, mask=None if known is None else ~known)
    return pc.cast(pc.cast(column, pa.timestamp("s")), pa.string())


def number_column(values: IntArray, known: BoolArray | None = None) -> pa.Array:
    """Write whole numbers; empty where `known` is false."""
    return pc.cast(pa.array(values, mask=None if known is None else ~known), pa.string())


_CENTS = [f".{cents:02d}" for cents in range(100)]


def money_column(cents: IntArray, known: BoolArray | None = None) -> pa.Array:
    """Write amounts given in cents with two decimals; empty where `known` is false."""
    size = np.abs(cents)
    sign = look_up(["", "-"], (cents < 0).astype(np.int64))
    whole = pc.cast(pa.array(size // 100, mask=None if known is None else ~known), pa.string())
    return pc.binary_join_element_wise(sign, whole, look_up(_CENTS, size % 100), "")


def string_table(columns: dict[str, Any]) -> pa.Table:
    """Put text columns (Arrow, or object arrays) together into a table."""
    ready = {
        name: column if isinstance(column, (pa.Array, pa.ChunkedArray)) else text_column(column)
        for name, column in columns.items()
    }
    return pa.table(ready, schema=pa.schema([(name, pa.string()) for name in ready]))
