"""Stable segments: K-means whose clusters keep their key and name from one as-of date to the next.

The number of clusters is chosen once: by silhouette (Rousseeuw 1987), among the numbers at which clusterings of
bootstrap samples of the customers agree (adjusted Rand index; Hubert & Arabie 1985, Hennig 2007, *Cluster-wise
assessment of cluster stability*, CSDA 52). The next as-of date starts from the last centroids, on the last scales. The
centroids move half of the way to where their customers are now, so that a customer changes segment because the customer
has changed. Only when a cluster has emptied, or would move more than halfway to its neighbour, is everything found
anew; clusters that still lie where old ones lay (matched by the Hungarian method, Kuhn 1955) keep their key and name. A
fit leaves a table of centroids, and assignment reads nothing else.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score, silhouette_score

from crm_mining.common.arrays import FloatArray, IntArray
from crm_mining.common.seeds import SEED
from crm_mining.common.threads import one_thread

#: fitted (found anew, nothing to go on from), kept (went on from the last centroids), changed (found anew: the
#: structure has changed), too_few and constant (one segment of all).
FITTED, KEPT, CHANGED, TOO_FEW, CONSTANT = "fitted", "kept", "changed", "too_few", "constant"
#: With fewer customers than this for each cluster there is one segment of all.
MIN_CUSTOMERS_PER_SEGMENT = 10
#: A cluster with a smaller share has emptied.
MIN_SHARE = 0.005
#: How much of the way to where their customers are now centroids go from one as-of date to the next.
PACE = 0.5
_N_SILHOUETTE, _N_BOOTSTRAP, _N_STARTS = 1_000, 8, 5
_MAX_SCALED = 5.0


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
