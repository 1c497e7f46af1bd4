"""Segments from tables to tables: one fit per as-of date, and members from stored centroids."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date

import duckdb
import pandas as pd
import pyarrow as pa

from crm_mining.common.progress import Progress
from crm_mining.common.refits import check_refit
from crm_mining.segments.clusters import CONSTANT, TOO_FEW, Segments, find_segments
from crm_mining.segments.names import name_segments

TERM_SCHEMA = pa.schema(
    [("as_of_date", pa.date32()), ("clustering", pa.string()), ("segment", pa.int64()), ("segment_name", pa.string()),
     ("feature", pa.string()), ("centroid", pa.float64()), ("center", pa.float64()), ("scale", pa.float64()),
     ("n_customers", pa.int64()), ("k", pa.int64()), ("silhouette", pa.float64()), ("stability", pa.float64()),
     ("status", pa.string())]
)  # fmt: skip
MEMBER_SCHEMA = pa.schema(
    [("clustering", pa.string()), ("customer_id", pa.string()), ("as_of_date", pa.date32()), ("segment", pa.int64()),
     ("distance", pa.float64()), ("confidence", pa.float64()), ("fitted_as_of_date", pa.date32())]
)  # fmt: skip
#: In the column ``feature``: the row that says how good a number of clusters is, not where a cluster lies.
SELECTION = ""


def fit_from_tables(
    inputs: duckdb.DuckDBPyRelation,
    words: duckdb.DuckDBPyRelation,
    stored: duckdb.DuckDBPyRelation | None = None,
    *,
    refit: str = "auto",
    k_range: Sequence[int] = (3, 8),
    min_stability: float = 0.75,
    sample_customers: int = 50_000,
) -> pa.Table:
    """Find the segments of each clustering and as-of date that asks for it, one date after another.

    Parameters
    ----------
    inputs : relation
        ``clustering, customer_id, as_of_date, feature, scaled``.
    words : relation
        ``clustering, feature, high_word, low_word``.
    stored : relation, optional
        The table that this function returned before.
    refit : str
        ``auto``: as-of dates without a fit, each going on from the one before it; ``always``: all of them, the earliest
        anew; ``never``.
    k_range, min_stability
        As in :func:`find_segments`.
    sample_customers : int
        Clusters are found on at most this many: the first by customer_id, a hash.

    Returns
    -------
    Table
        The columns of :data:`TERM_SCHEMA`: a row per segment and feature and, where ``feature`` is empty, a row per
        number of clusters that was looked at (``k, silhouette, stability``; ``segment`` null).

    Raises
    ------
    ValueError
        When a parameter is outside its range; the message names it.
    """
    check_refit(refit)
    if len(k_range) != 2:
        raise ValueError(f"segment_range is {list(k_range)}; allowed: two numbers, least and greatest")
    if sample_customers < 1:
        raise ValueError(f"segment_sample_customers is {sample_customers}; allowed: 1 and more")
    found = [TERM_SCHEMA.empty_table()]
    if refit == "never":
        return found[0]
    old = stored.df() if stored is not None and refit == "auto" else TERM_SCHEMA.empty_table().to_pandas()
    old["as_of_date"] = pd.to_datetime(old["as_of_date"]).dt.date
    vocabulary = words.df()
    todo = inputs.project("clustering, as_of_date").distinct().order("clustering, as_of_date").fetchall()
    progress = Progress("clusterings found", len(todo))
    last: dict[str, tuple[date, Segments]] = {}
    for done, (clustering, day) in enumerate(todo, start=1):
        of = old[(old["clustering"] == clustering) & (old["as_of_date"] <= day)]
        if len(of):
            newest = of["as_of_date"].max()
            if clustering not in last or last[clustering][0] < newest:
                last[clustering] = (newest, read_segments(of[of["as_of_date"] == newest]))
            if newest == day:
                continue
        frame = wide_inputs(inputs, clustering, day, None).limit(sample_customers).df()
        features = tuple(frame.columns[1:])
        before = last[clustering][1] if clustering in last else None
        if before is not None and set(before.features) <= set(features):
            features = before.features
        segments = find_segments(
            frame[list(features)].to_numpy(dtype="float64"),
            features,
            before,
            k_range=(int(k_range[0]), int(k_range[1])),
            min_stability=min_stability,
        )
        segments = replace(segments, names=_names(segments, vocabulary[vocabulary["clustering"] == clustering]))
        last[clustering] = (day, segments)
        rows = _rows(segments).assign(as_of_date=day, clustering=clustering)
        found.append(pa.Table.from_pandas(rows, schema=TERM_SCHEMA, preserve_index=False))
        progress.update(done)
    return pa.concat_tables(found)


def assign_from_tables(
    inputs: duckdb.DuckDBPyRelation, terms: duckdb.DuckDBPyRelation, *, batch_size: int = 100_000
) -> pa.RecordBatchReader:
    """Assign every customer, batch by batch.

    Parameters
    ----------
    inputs : relation
        As in :func:`fit_from_tables`.
    terms : relation
        As it returns them; of the as-of date or, where it has none, the last before it.
    batch_size : int
        Customers at a time; memory holds one batch.

    Returns
    -------
    RecordBatchReader
        The columns of :data:`MEMBER_SCHEMA`.

    Raises
    ------
    ValueError
        When an as-of date has no fit on or before it.
    """
    fits = terms.df()
    fits["as_of_date"] = pd.to_datetime(fits["as_of_date"]).dt.date
    todo = inputs.project("clustering, as_of_date").distinct().order("clustering, as_of_date").fetchall()

    def batches() -> Iterator[pa.RecordBatch]:
        progress = Progress("as-of dates of clusterings assigned", len(todo))
        for done, (clustering, day) in enumerate(todo, start=1):
            of = fits[(fits["clustering"] == clustering) & (fits["as_of_date"] <= day)]
            if of.empty:
                raise ValueError(f"as_of_date {day} has no segments on or before it; set the var refit to auto")
            newest = of["as_of_date"].max()
            segments = read_segments(of[of["as_of_date"] == newest])
            for batch in wide_inputs(inputs, clustering, day, segments.features).to_arrow_reader(batch_size):
                frame = batch.to_pandas()
                key, distance, confidence = segments.assign(
                    frame[list(segments.features)].to_numpy(dtype="float64").reshape(len(frame), -1)
                )
                rows = pd.DataFrame(
                    {
                        "clustering": clustering,
                        "customer_id": frame["customer_id"],
                        "as_of_date": day,
                        "segment": key,
                        "distance": distance.round(6),
                        "confidence": confidence.round(6),
                        "fitted_as_of_date": newest,
                    }
                )
                yield pa.RecordBatch.from_pandas(rows, schema=MEMBER_SCHEMA, preserve_index=False)
            progress.update(done)

    return pa.RecordBatchReader.from_batches(MEMBER_SCHEMA, batches())


def wide_inputs(
    inputs: duckdb.DuckDBPyRelation, clustering: str, day: date, features: Sequence[str] | None
) -> duckdb.DuckDBPyRelation:
    """Lay the features of one clustering and as-of date side by side: a row per customer, by customer_id.

    Parameters
    ----------
    inputs : relation
        As in :func:`fit_from_tables`.
    clustering, day
        Which rows.
    features : sequence of str, optional
        Columns after ``customer_id``; all there are, by name, when not given. A missing value is 0.
    """
    of = inputs.filter(
        (duckdb.ColumnExpression("clustering") == duckdb.ConstantExpression(clustering))
        & (duckdb.ColumnExpression("as_of_date") == duckdb.ConstantExpression(day))
    )
    if features is None:
        features = [name for (name,) in of.project("feature").distinct().order("feature").fetchall()]
    columns = [
        "coalesce(max(scaled) filter (where feature = '{}'), 0) as \"{}\"".format(
            name.replace("'", "''"), name.replace('"', '""')
        )
        for name in features
    ]
    return of.aggregate(", ".join(["customer_id", *columns]), "customer_id").order("customer_id")


def _names(segments: Segments, words: pd.DataFrame) -> dict[int, str]:
    if segments.status in (TOO_FEW, CONSTANT):
        return {1: "all buyers"}
    of = {
        str(feature): (str(high), str(low))
        for feature, high, low in zip(words["feature"], words["high_word"], words["low_word"], strict=True)
    }
    return name_segments(segments, of)


def _rows(segments: Segments) -> pd.DataFrame:
    parts = [
        pd.DataFrame(
            {
                "segment": key,
                "segment_name": segments.names[key],
                "feature": segments.features,
                "centroid": segments.centroids[i].round(9),
                "center": segments.center.round(9),
                "scale": segments.scale.round(9),
                "n_customers": int(segments.sizes[i]),
            }
        )
        for i, key in enumerate(segments.keys.tolist())
    ]
    parts.append(segments.selection.round(9).assign(feature=SELECTION))
    rows = pd.concat([part for part in parts if len(part)], ignore_index=True)
    rows = rows.reindex(columns=[name for name in TERM_SCHEMA.names if name not in ("as_of_date", "clustering")])
    whole = {name: rows[name].astype("Int64") for name in ("segment", "n_customers", "k")}
    return rows.assign(**whole, status=segments.status)


def read_segments(terms: pd.DataFrame) -> Segments:
    """Read the rows of one clustering and as-of date that :func:`fit_from_tables` wrote."""
    rows = terms[terms["feature"] != SELECTION].sort_values(["segment", "feature"])
    wide = rows.pivot(index="segment", columns="feature", values="centroid")
    per_feature = rows.drop_duplicates("feature").set_index("feature").loc[list(wide.columns)]
    sizes = rows.drop_duplicates("segment")["n_customers"]
    return Segments(
        tuple(str(name) for name in wide.columns),
        per_feature["center"].to_numpy(dtype="float64"),
        per_feature["scale"].to_numpy(dtype="float64"),
        wide.index.to_numpy(dtype="int64"),
        wide.to_numpy(dtype="float64"),
        sizes.to_numpy(dtype="int64"),
        terms.loc[terms["feature"] == SELECTION, ["k", "silhouette", "stability"]],
        str(terms["status"].iloc[0]),
        {int(key): str(name) for key, name in zip(rows["segment"], rows["segment_name"], strict=True)},
    )
