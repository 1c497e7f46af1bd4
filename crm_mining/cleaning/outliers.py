"""Rows that stand out by the combination of their numbers.

An isolation forest (Liu, Ting and Zhou 2008, *Isolation Forest*, ICDM) parts rows at random until each is alone: what
is alone after few cuts is unusual. How many rows are outliers is not assumed; the scores themselves say it, as those
far from their median in robust standard deviations (1.4826 times the median absolute deviation).
"""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import duckdb
import numpy as np
import pyarrow as pa

from crm_mining.common.arrays import FloatArray, IntArray
from crm_mining.common.seeds import SEED

if TYPE_CHECKING:
    from sklearn.ensemble import IsolationForest


N_TREES = 200
BATCH_ROWS = 50_000
#: Fewer rows than this have no usual form.
MIN_ROWS = 50
#: Median absolute deviation of a normal distribution, inverse: makes it a standard deviation there.
MAD_TO_SIGMA = 1.4826

OUTLIERS = pa.schema(
    [
        ("source_key", pa.string()), ("score", pa.float64()), ("deviations", pa.float64()),
        ("oddest_measure", pa.string()), ("oddest_value", pa.float64()), ("usual_value", pa.float64()),
    ]
)  # fmt: skip


def robust_location(values: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Median and robust standard deviation of each column.

    Parameters
    ----------
    values : array, shape (rows, columns)
        NaN where unknown.

    Returns
    -------
    tuple of arrays, shape (columns,)
        The median, 0 for a column without values, and 1.4826 times the median absolute deviation; where that is 0
        (most values are one and the same) the standard deviation, and 1 where that is 0 too.
    """
    known = [column[~np.isnan(column)] for column in values.T]
    middle = np.array([np.median(column) if len(column) else 0.0 for column in known])
    spread = np.array(
        [
            MAD_TO_SIGMA * np.median(np.abs(column - mid)) if len(column) else 0.0
            for column, mid in zip(known, middle, strict=True)
        ]
    )
    deviation = np.array([column.std() if len(column) else 0.0 for column in known])
    spread = np.where(spread > 0, spread, deviation)
    return middle, np.where(spread > 0, spread, 1.0)


def isolated_rows(relation: duckdb.DuckDBPyRelation, *, spreads: float | str, sample_rows: int | str) -> pa.Table:
    """Find the rows that an isolation forest isolates early.

    Parameters
    ----------
    relation : relation
        ``source_key``, unique, and any numbers. A number that is unknown counts as the median.
    spreads : float
        Robust standard deviations above the median of the scores from which a row is an outlier; positive.
    sample_rows : int
        The forest and the medians are learned from at most this many rows, those whose keys have the lowest hashes.

    Returns
    -------
    Table
        One row per outlier, by key, as in :data:`OUTLIERS`: its score (0 to 1, higher is odder), its distance from the
        median score in robust standard deviations, and the measure whose median in its place would lower the score
        most, with both values.

    Raises
    ------
    ValueError
        For a parameter that is missing or not positive.
    """
    limit, size = _positive("spreads", spreads), int(_positive("sample_rows", sample_rows))
    names = [name for name in relation.columns if name != "source_key"]
    columns = ", ".join(f'"{name}"::double' for name in names)
    sample = _matrix(
        relation.order("md5(source_key), source_key").limit(size).order("source_key").project(columns).fetchnumpy()
    )
    if len(sample) < MIN_ROWS or not names:
        return OUTLIERS.empty_table()
    from sklearn.ensemble import IsolationForest

    middle, _ = robust_location(sample)
    forest = IsolationForest(n_estimators=N_TREES, random_state=SEED, n_jobs=1).fit(_filled(sample, middle))
    (usual,), (width,) = robust_location(-forest.score_samples(_filled(sample, middle))[:, None])
    keyed = relation.order("source_key").project(f"source_key, {columns}")
    found: list[pa.RecordBatch] = []
    for keys, values in _batches(keyed):
        filled = _filled(values, middle)
        score = -forest.score_samples(filled)
        odd = np.flatnonzero((score - usual) / width >= limit)
        column = _decisive_column(forest, filled[odd], middle)
        found.append(
            pa.record_batch(
                [
                    keys.take(pa.array(odd)), pa.array(score[odd]), pa.array((score[odd] - usual) / width),
                    pa.array([names[index] for index in column], pa.string()), pa.array(filled[odd, column]),
                    pa.array(middle[column]),
                ],
                schema=OUTLIERS,
            )
        )  # fmt: skip
    return pa.Table.from_batches(found, schema=OUTLIERS)


def _decisive_column(forest: "IsolationForest", rows: FloatArray, middle: FloatArray) -> IntArray:
    """Per row the column without whose odd value, the median in its place, the row would be least odd."""
    if not len(rows):
        return np.empty(0, dtype=np.int64)
    eased = np.repeat(rows[None], rows.shape[1], axis=0)
    for column in range(rows.shape[1]):
        eased[column, :, column] = middle[column]
    score = forest.score_samples(eased.reshape(-1, rows.shape[1])).reshape(rows.shape[1], -1)
    return np.asarray(np.argmax(score, axis=0), dtype=np.int64)


def _positive(name: str, value: float | str) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = 0.0
    if not number > 0:
        raise ValueError(f"{name} must be a number above 0, not {value!r}")
    return number


def _matrix(columns: Mapping[str, Any]) -> FloatArray:
    """Columns side by side, NaN where null."""
    filled: list[FloatArray] = [
        np.ma.filled(np.ma.asarray(column, dtype="float64"), np.nan) for column in columns.values()
    ]
    return np.column_stack(filled) if filled else np.empty((0, 0))


def _filled(values: FloatArray, middle: FloatArray) -> FloatArray:
    return np.where(np.isnan(values), middle, values)


def _batches(keyed: duckdb.DuckDBPyRelation) -> Iterator[tuple[pa.Array, FloatArray]]:
    for batch in keyed.to_arrow_reader(BATCH_ROWS):
        values = [column.to_numpy(zero_copy_only=False).astype("float64") for column in batch.columns[1:]]
        yield batch.column(0), np.column_stack(values)
