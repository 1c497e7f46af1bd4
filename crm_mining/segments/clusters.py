"""Segments that hold still: K-means whose clusters keep their key and name from one as-of date to the next.

The number of clusters is chosen once, by silhouette (Rousseeuw 1987) among the numbers at which clusterings of other
draws of the customers agree (bootstrap adjusted Rand index; Hubert & Arabie 1985, Hennig 2007, *Cluster-wise assessment
of cluster stability*, CSDA 52). The next as-of date starts from the last centroids, on the last scales, and they go
half of the way to where their customers are now, so that a customer changes segment because the customer has changed.
Only when a cluster has emptied or would move more than halfway to its neighbour is everything found anew; clusters that
are then still where old ones were (matched by the Hungarian method, Kuhn 1955) keep their key and name. A fit leaves a
table of centroids, and assignment reads nothing else.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score, silhouette_score

from crm_mining.common.arrays import FloatArray, IntArray
from crm_mining.common.progress import Progress
from crm_mining.common.refits import check_refit
from crm_mining.common.seeds import SEED
from crm_mining.common.threads import one_thread

#: fitted (found anew, nothing to go on from), kept (went on from the last centroids), changed (found anew: the
#: structure has changed), too_few and constant (one segment of all).
FITTED, KEPT, CHANGED, TOO_FEW, CONSTANT = "fitted", "kept", "changed", "too_few", "constant"
#: Below so many customers for each cluster nothing is cut.
MIN_CUSTOMERS_PER_SEGMENT = 10
#: A cluster with a smaller share has emptied.
MIN_SHARE = 0.005
#: From so many standard deviations on a feature marks a segment.
MARK = 0.4
#: How much of the way to where their customers are now centroids go from one as-of date to the next.
PACE = 0.5
_N_SILHOUETTE, _N_BOOTSTRAP, _N_STARTS = 1_000, 8, 5
_MAX_SCALED = 5.0
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


@dataclass(frozen=True)
class Segments:
    """A clustering.

    Parameters
    ----------
    features : tuple of str
        In order.
    center, scale : array of shape (n_features,)
        A value less center, by scale, is what distances are taken of.
    keys : array of shape (n_segments,)
        Stable keys from 1 on.
    centroids : array of shape (n_segments, n_features)
        Of scaled values.
    sizes : array of shape (n_segments,)
        Customers.
    selection : DataFrame
        ``k, silhouette, stability``; no rows where the number was taken over.
    status : str
        See :data:`FITTED`.
    names : dict
        Key to name, of the segments that brought one along from the as-of date before.
    """

    features: tuple[str, ...]
    center: FloatArray
    scale: FloatArray
    keys: IntArray
    centroids: FloatArray
    sizes: IntArray
    selection: pd.DataFrame
    status: str
    names: dict[int, str] = field(default_factory=dict)

    def scaled(self, values: FloatArray) -> FloatArray:
        """Centre and scale; what is far out counts as five standard deviations."""
        return np.clip((values - self.center) / self.scale, -_MAX_SCALED, _MAX_SCALED)

    def assign(self, values: FloatArray) -> tuple[IntArray, FloatArray, FloatArray]:
        """Give each customer the nearest segment.

        Parameters
        ----------
        values : array of shape (n, n_features)
            Unscaled.

        Returns
        -------
        tuple of arrays of shape (n,)
            Key; distance to its centroid; confidence: how much nearer it is than the next one, 0 (on the border) to 1.
        """
        distances = cdist(self.scaled(values), self.centroids)
        nearest = distances.argmin(axis=1)
        ordered = np.sort(distances, axis=1)
        second = ordered[:, 1] if distances.shape[1] > 1 else np.full(len(values), np.inf)
        confidence = 1 - ordered[:, 0] / np.maximum(second, 1e-12)
        return self.keys[nearest], ordered[:, 0], np.clip(confidence, 0.0, 1.0)


def find_segments(
    values: FloatArray,
    features: Sequence[str],
    last: Segments | None = None,
    *,
    k_range: tuple[int, int] = (3, 8),
    min_stability: float = 0.75,
    seed: int = SEED,
) -> Segments:
    """Cluster customers, going on from the last clusters where they still hold.

    Parameters
    ----------
    values : array of shape (n, n_features)
        One row per customer, in an order that is the same in every build.
    features : sequence of str
        Their names; of ``last`` the same ones, or everything is found anew, and keys are matched by the shared ones.
    last : Segments, optional
        Of the as-of date before.
    k_range : tuple of int
        Least and greatest number of clusters.
    min_stability : float
        Adjusted Rand index that other draws of the customers have to reach.
    seed : int
        Of the starts and draws.

    Returns
    -------
    Segments
        With fewer than :data:`MIN_CUSTOMERS_PER_SEGMENT` customers for each of the least number of clusters, or when
        no feature varies: one segment of all, and the status says so.

    Raises
    ------
    ValueError
        When a parameter is outside its range, or a value is not finite; the message names it.
    """
    low, high = k_range
    if not 2 <= low <= high <= 50:
        raise ValueError(f"segment_range is {low} to {high}; allowed: from 2 up to 50, least first")
    if not 0 <= min_stability <= 1:
        raise ValueError(f"segment_min_stability is {min_stability}; allowed: 0 to 1")
    if not np.isfinite(values).all():
        raise ValueError("a feature of the segments is not finite; allowed: numbers")
    names = tuple(features)
    if last is not None and last.features == names and last.status not in (TOO_FEW, CONSTANT) and len(values) > 0:
        kept = _go_on(values, last)
        if kept is not None:
            return kept
    found = _find(values, names, (low, high), min_stability, seed)
    if last is None or last.status in (TOO_FEW, CONSTANT) or found.status in (TOO_FEW, CONSTANT):
        return found
    return replace(_with_old_keys(found, last), status=CHANGED)


def _go_on(values: FloatArray, last: Segments) -> Segments | None:
    """Move the last centroids towards where their customers are now; None when they no longer hold."""
    scaled = last.scaled(values)
    with one_thread():
        fitted = KMeans(len(last.keys), init=last.centroids, n_init=1, max_iter=300).fit(scaled)
    centroids = np.asarray(fitted.cluster_centers_, dtype="float64")
    pairs = linear_sum_assignment(cdist(last.centroids, centroids))[1]
    centroids, sizes = centroids[pairs], np.bincount(fitted.labels_, minlength=len(pairs))[pairs]
    moved = np.linalg.norm(centroids - last.centroids, axis=1)
    between = cdist(last.centroids, last.centroids) + np.where(np.eye(len(pairs)) > 0, np.inf, 0)
    if sizes.min() < MIN_SHARE * len(values) or (moved > between.min(axis=1) / 2).any():
        return None
    centroids = last.centroids + PACE * (centroids - last.centroids)
    sizes = np.bincount(cdist(scaled, centroids).argmin(axis=1), minlength=len(pairs))
    return replace(last, centroids=centroids, sizes=sizes, selection=last.selection.iloc[:0], status=KEPT)


def _find(
    values: FloatArray, names: tuple[str, ...], k_range: tuple[int, int], min_stability: float, seed: int
) -> Segments:
    n = len(values)
    center = values.mean(axis=0) if n else np.zeros(len(names))
    spread = values.std(axis=0) if n else np.zeros(len(names))
    scale = np.where(spread > 1e-9, spread, 1.0)
    nothing = pd.DataFrame({"k": pd.Series(dtype="int64"), "silhouette": [], "stability": []})
    one = Segments(names, center, scale, np.array([1]), np.zeros((1, len(names))), np.array([n]), nothing, CONSTANT)
    if n < MIN_CUSTOMERS_PER_SEGMENT * k_range[0]:
        return replace(one, status=TOO_FEW)
    scaled = one.scaled(values)
    n_distinct = len(np.unique(scaled, axis=0))
    if n_distinct < k_range[0]:
        return one
    high = min(k_range[1], n // MIN_CUSTOMERS_PER_SEGMENT, n_distinct)
    selection, labels_of = choose_k(scaled, (k_range[0], high), seed=seed)
    stable = selection[selection["stability"] >= min_stability]
    best = (
        stable.sort_values(["silhouette", "k"], ascending=[False, True])
        if len(stable)
        else selection.sort_values(["stability", "k"], ascending=[False, True])
    )
    labels = labels_of[int(best["k"].iloc[0])]
    # The largest first; ties by where the centroid lies.
    sizes = np.bincount(labels)
    centroids = np.array([scaled[labels == i].mean(axis=0) for i in range(len(sizes))])
    order = np.lexsort((*centroids.T[::-1], -sizes))
    return replace(
        one,
        keys=np.arange(1, len(sizes) + 1),
        centroids=centroids[order],
        sizes=sizes[order],
        selection=selection,
        status=FITTED,
    )


def choose_k(
    scaled: FloatArray, k_range: tuple[int, int], *, seed: int = SEED
) -> tuple[pd.DataFrame, dict[int, IntArray]]:
    """Measure how good each number of clusters is.

    Parameters
    ----------
    scaled : array of shape (n, n_features)
        Scaled values.
    k_range : tuple of int
        Least and greatest number of clusters.
    seed : int
        Of starts, draws, and the sample that the silhouette is taken of.

    Returns
    -------
    tuple
        A table ``k, silhouette, stability`` (the mean adjusted Rand index of all customers' clusters with those that a
        bootstrap sample's centroids give them), and the labels of the best clustering of each number.
    """
    draw = np.random.default_rng(seed)
    n = len(scaled)
    sample = np.sort(draw.choice(n, min(n, _N_SILHOUETTE), replace=False))
    boots = [draw.integers(0, n, n) for _ in range(_N_BOOTSTRAP)]
    rows, labels_of = [], {}
    with one_thread():
        for k in range(k_range[0], k_range[1] + 1):
            fitted = KMeans(k, n_init=_N_STARTS, random_state=seed).fit(scaled)
            labels = labels_of[k] = np.asarray(fitted.labels_, dtype="int64")
            agreement = [
                adjusted_rand_score(
                    labels, KMeans(k, n_init=2, random_state=seed + i).fit(scaled[boot]).predict(scaled)
                )
                for i, boot in enumerate(boots)
            ]
            is_told_apart = len(set(labels[sample].tolist())) > 1
            silhouette = silhouette_score(scaled[sample], labels[sample]) if is_told_apart else 0.0
            rows.append((k, float(silhouette), float(np.mean(agreement))))
    return pd.DataFrame(rows, columns=["k", "silhouette", "stability"]), labels_of


def _with_old_keys(found: Segments, last: Segments) -> Segments:
    """Give clusters that lie where old ones lay the old keys; the others get keys that were never used."""
    shared = [name for name in found.features if name in last.features]
    here, there = ([of.features.index(name) for name in shared] for of in (found, last))
    unscaled = (found.centroids * found.scale + found.center)[:, here]
    distance = cdist((unscaled - last.center[there]) / last.scale[there], last.centroids[:, there])
    new, old = linear_sum_assignment(distance)
    between = cdist(last.centroids[:, there], last.centroids[:, there])
    reach = np.where(np.eye(len(last.keys)) > 0, np.inf, between).min(axis=1, initial=np.inf) / 2
    keys = np.zeros(len(found.keys), dtype="int64")
    near = (distance[new, old] <= reach[old]) & bool(shared)
    keys[new[near]] = last.keys[old[near]]
    free = int(last.keys.max()) + 1
    keys[keys == 0] = np.arange(free, free + int((keys == 0).sum()))
    order = np.argsort(keys)
    names = {key: name for key, name in last.names.items() if key in set(keys.tolist())}
    return replace(found, keys=keys[order], centroids=found.centroids[order], sizes=found.sizes[order], names=names)


# -------------------------------------------------------------------------------------------------------------- names


def name_segments(segments: Segments, words: Mapping[str, tuple[str, str]], noun: str = "buyers") -> dict[int, str]:
    """Name each segment by the features that mark it.

    Parameters
    ----------
    segments : Segments
        Centroids are in standard deviations from the mean of all. A segment that has a name keeps it.
    words : mapping
        Feature to the words for a high and a low value; the order is that of the words in a name. A feature without
        words names itself where it is high ("garden").
    noun : str
        What they all are.

    Returns
    -------
    dict
        Key to name: up to two words, the strongest marks (see :data:`MARK`), in the order of ``words``;
        up to four, and then a number, where another segment has that name. The same for the same profile.
    """
    order = {feature: i for i, feature in enumerate([*words, *(f for f in segments.features if f not in words)])}
    found = {key: name for key, name in segments.names.items() if key in set(segments.keys.tolist())}
    for key, centroid in zip(segments.keys.tolist(), segments.centroids, strict=True):
        if key in found:
            continue
        marks = [(f, z) for f, z in zip(segments.features, centroid.tolist(), strict=True) if _word(f, z, words)]
        marks = sorted(marks, key=lambda mark: (-round(abs(mark[1]), 9), order[mark[0]]))
        candidates = []
        for n_words in (2, 3, 4):
            chosen = sorted((m for m in marks[:n_words] if abs(m[1]) >= MARK), key=lambda mark: order[mark[0]])
            candidates.append(f"{' '.join(_word(f, z, words) for f, z in chosen) or 'average'} {noun}")
        candidates += [f"{candidates[0]} {number}" for number in range(2, len(segments.keys) + 2)]
        found[key] = next(name for name in candidates if name not in found.values())
    return found


def _word(feature: str, z: float, words: Mapping[str, tuple[str, str]]) -> str:
    high, low = words.get(feature, (feature.lower(), ""))
    return high if z > 0 else low


# ------------------------------------------------------------------------------------------------------------- tables


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
        Clusters are found on at most so many: the first by customer_id, a hash.

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
