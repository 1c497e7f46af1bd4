"""How stable the segments are and, where the truth is known, how well they recognise needs."""

from itertools import pairwise
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score

from crm_mining.common.seeds import SEED
from crm_mining.common.threads import one_thread
from crm_mining.evaluation.metric_table import METRIC_COLUMNS
from crm_mining.evaluation.truth import read_truth, sole_persons
from crm_mining.segments.clusters import CONSTANT, TOO_FEW
from crm_mining.segments.tables import read_segments, wide_inputs

MODEL, NAIVE = "customer_segments", "baseline_naive_refit"
#: Customers of an as-of date that are looked at: the first by customer_id, which is a hash.
MAX_CUSTOMERS = 20_000
N_RESAMPLES = 200


def evaluate_segments(
    inputs: duckdb.DuckDBPyRelation,
    terms: duckdb.DuckDBPyRelation,
    sources: duckdb.DuckDBPyRelation,
    *,
    record_persons: Path | None = None,
    persons: Path | None = None,
) -> pd.DataFrame:
    """Measure how many customers keep their segment and how well needs are recognised.

    Parameters
    ----------
    inputs : relation
        ``clustering, customer_id, as_of_date, feature, value, scaled``.
    terms : relation
        As :func:`crm_mining.segments.tables.fit_from_tables` returns them.
    sources : relation
        ``source_table, source_key, customer_id``.
    record_persons, persons : Path, optional
        Truth tables: ``source_table, source_key, person_id`` and ``person_id, need_group``.

    Returns
    -------
    DataFrame
        One row per model, target, split and metric, with the columns of
        :data:`crm_mining.evaluation.metric_table.METRIC_COLUMNS`. For each as-of date after the first ``share_kept``:
        of the customers of both dates, how many have the segment of the date before; its baseline is what they would
        have kept under that date's own centroids, left where they were: the share who have not changed themselves.
        ``baseline_naive_refit`` clusters anew, with another seed, and takes labels as they come. For needs at the last
        date ``adjusted_rand_index`` with the planted groups; the baseline groups by the category bought most. 95 %
        intervals by resampling customers.
    """
    rows: list[tuple[str, str, str, str, float, float, float, float]] = []
    fits = terms.df()
    fits["as_of_date"] = pd.to_datetime(fits["as_of_date"]).dt.date
    for clustering in sorted(set(fits["clustering"])):
        of = fits[fits["clustering"] == clustering]
        days = [
            day
            for (day,) in inputs.filter(f"clustering = '{clustering}'")
            .project("as_of_date")
            .distinct()
            .order("1")
            .fetchall()
            if day in set(of["as_of_date"])
        ]
        segments = {day: read_segments(of[of["as_of_date"] == day]) for day in days}
        if any(found.status in (TOO_FEW, CONSTANT) for found in segments.values()):
            continue
        frames = {
            day: wide_inputs(inputs, clustering, day, found.features).limit(MAX_CUSTOMERS).df().set_index("customer_id")
            for day, found in segments.items()
        }
        labels = {
            day: pd.Series(found.assign(frames[day].to_numpy(dtype="float64"))[0], index=frames[day].index)
            for day, found in segments.items()
        }
        target = f"{clustering}_segment"
        for before, day in pairwise(days):
            values, both = frames[day].to_numpy(dtype="float64"), frames[day].index.isin(frames[before].index)
            was = labels[before].reindex(frames[day].index[both]).to_numpy()
            fixed = (
                segments[before].assign(values)[0][both] if segments[before].features == segments[day].features else was
            )
            with one_thread():
                anew = KMeans(len(segments[day].keys), n_init=1, random_state=SEED + day.toordinal())
                naive = anew.fit_predict(segments[day].scaled(values))[both] + 1
            share = float((fixed == was).mean())
            for model, now in ((MODEL, labels[day].to_numpy()[both]), (NAIVE, naive)):
                rows.append((model, target, f"as_of_{day}", "share_kept", *_share(now == was), share))
        if clustering == "needs" and days and record_persons is not None and persons is not None:
            rows += _against_groups(labels[days[-1]], inputs, days[-1], sources, record_persons, persons)
    names = ["model", "target", "split", "metric", "value", "interval_low", "interval_high", "baseline"]
    frame = pd.DataFrame(rows, columns=names)
    return frame.assign(fold=0)[list(METRIC_COLUMNS)].astype(METRIC_COLUMNS)


def _share(is_kept: np.ndarray) -> tuple[float, float, float]:
    """Of n draws with replacement a binomial number is kept: no need to draw them."""
    n, share = max(len(is_kept), 1), float(is_kept.mean()) if len(is_kept) else 0.0
    low, high = np.quantile(np.random.default_rng(SEED).binomial(n, share, 2000) / n, [0.025, 0.975])
    return share, float(low), float(high)


def _against_groups(
    labels: "pd.Series[int]",
    inputs: duckdb.DuckDBPyRelation,
    day: object,
    sources: duckdb.DuckDBPyRelation,
    record_persons: Path,
    persons: Path,
) -> list[tuple[str, str, str, str, float, float, float, float]]:
    known = sole_persons(sources, record_persons).merge(read_truth(persons), on="person_id")
    bought = inputs.filter(f"clustering = 'needs' and as_of_date = '{day}'").aggregate(
        "customer_id, arg_max(feature, (value, feature)) as favourite", "customer_id"
    )
    frame = labels.rename("segment").rename_axis("customer_id").reset_index().merge(known, on="customer_id")
    frame = frame.merge(bought.df(), on="customer_id").sort_values("customer_id", ignore_index=True)
    if frame.empty:
        return []
    group, segment = (frame[name].astype("category").cat.codes.to_numpy() for name in ("need_group", "segment"))
    favourite = frame["favourite"].astype("category").cat.codes.to_numpy()
    draw = np.random.default_rng(SEED)
    samples = (draw.integers(0, len(frame), len(frame)) for _ in range(N_RESAMPLES))
    low, high = np.quantile([adjusted_rand_score(group[i], segment[i]) for i in samples], [0.025, 0.975])
    index, base = adjusted_rand_score(group, segment), adjusted_rand_score(group, favourite)
    metric = "adjusted_rand_index"
    return [(MODEL, "needs_segment", f"as_of_{day}", metric, float(index), float(low), float(high), float(base))]
