"""How good recommendations were: lists of ten compared with what customers bought in the window they were made for."""

from collections.abc import Iterator

import duckdb
import numpy as np
import pandas as pd

from crm_mining.common.arrays import FloatArray
from crm_mining.common.seeds import SEED
from crm_mining.evaluation.metric_table import METRIC_COLUMNS, no_metrics
from crm_mining.recommendation.ranker import ANY, NEW, SETTINGS, TEST

MODEL = "recommendation"
#: The ingredients, each ranking by itself: name to a column of int_offer_features.
#: What it does not know it leaves out.
INGREDIENTS = {
    "popularity": "n_buyers",
    "popularity_7d": "n_buyers_7d",
    "popularity_14d": "n_buyers_14d",
    "segment_popularity": "segment_share",
    "own_purchases": "weight_90d",
    "own_purchases_popularity": "own_popularity",
    "similar_customers": "similarity",
    "similar_customers_popularity": "similar_popularity",
    "basket_rules": "basket_confidence",
    "path_rules": "path_confidence",
}
#: Ingredients that exist only for what a customer has bought.
_OWN = ("own_purchases", "own_purchases_popularity")
BASELINE = "popularity"
LENGTHS = (5, 10)
N_RESAMPLES = 200


def list_metrics(lists: pd.DataFrame, bought: pd.Series, popularity: pd.Series) -> pd.DataFrame:
    """Measure each customer's list at 5 and 10 places.

    Parameters
    ----------
    lists : DataFrame
        ``customer_id, product_id, rank`` (from 1), ``is_bought``. Customers without a list count as 0 everywhere.
    bought : Series
        Number of products bought in the window, by ``customer_id``; all above 0.
    popularity : Series
        Share of customers who have bought the product before, by ``product_id``, above 0.

    Returns
    -------
    DataFrame
        One row per customer of ``bought``, in its order, and a column for each metric and length, as
        ``precision_at_10``: hits by places; ``recall``: hits by products bought; ``f1``; ``ndcg`` (Järvelin &
        Kekäläinen 2002): gain 1 / log2(rank + 1), by that of the best list possible; ``map``: mean precision at the
        hits, by the hits possible; ``hit_rate``: whether there was any; ``novelty``: mean of -log2(popularity) of the
        products listed, in bits (Zhou et al. 2010), null without a list.
    """
    rank = lists["rank"].to_numpy(dtype="float64")
    listed = lists.assign(
        gain=lists["is_bought"] / np.log2(rank + 1),
        n_hits=lists.groupby("customer_id")["is_bought"].cumsum(),
        bits=-np.log2(lists["product_id"].map(popularity).to_numpy(dtype="float64")),
    )
    listed["precision_at_hit"] = listed["is_bought"] * listed["n_hits"] / rank
    n_bought = bought.to_numpy(dtype="float64")
    found: dict[str, FloatArray] = {}
    for length in LENGTHS:
        top = listed[listed["rank"] <= length].groupby("customer_id")
        sums = top[["is_bought", "gain", "precision_at_hit"]].sum().reindex(bought.index, fill_value=0)
        hits, gain, average = (sums[name].to_numpy(dtype="float64") for name in sums)
        possible = np.minimum(n_bought, length)
        best = np.concatenate([[0.0], np.cumsum(1 / np.log2(np.arange(2, length + 2)))])[possible.astype("int64")]
        found |= {
            f"precision_at_{length}": hits / length,
            f"recall_at_{length}": hits / n_bought,
            f"f1_at_{length}": 2 * hits / (length + n_bought),
            f"ndcg_at_{length}": gain / best,
            f"map_at_{length}": average / possible,
            f"hit_rate_at_{length}": (hits > 0).astype("float64"),
            f"novelty_at_{length}": top["bits"].mean().reindex(bought.index).to_numpy(dtype="float64"),
        }
    return pd.DataFrame(found, index=bought.index)


def evaluate_recommendations(
    scores: duckdb.DuckDBPyRelation, features: duckdb.DuckDBPyRelation, purchases: duckdb.DuckDBPyRelation
) -> pd.DataFrame:
    """Measure the recommender and each of its ingredients on the test window, in both settings.

    Parameters
    ----------
    scores : relation
        As :func:`crm_mining.recommendation.ranker.score_from_tables` returns it.
    features : relation
        The candidates with the columns of :data:`INGREDIENTS`, and ``n_back, customer_id, product_id, is_owned,
        is_bought``.
    purchases : relation
        ``customer_id, product_id, is_new`` of all that the customers of the test window bought in it, candidate or not;
        ``is_new``: never before.

    Returns
    -------
    DataFrame
        One row per model, target and metric, with the columns of
        :data:`crm_mining.evaluation.metric_table.METRIC_COLUMNS`: the means of :func:`list_metrics` with 95 % intervals
        by resampling customers, and ``coverage_at_10``, the share of the products among the candidates that any list
        names. The target is the setting; the baseline is popularity.
    """
    names = ", ".join(dict.fromkeys(INGREDIENTS.values()))
    of_test = f"n_back = {TEST}"
    candidates = (
        features.filter(of_test)
        .project(f"customer_id, product_id, is_owned, is_bought, {names}")
        .order("customer_id, product_id")
        .df()
    )
    scored = scores.filter(of_test).project("setting, customer_id, product_id, score").df()
    truth = purchases.order("customer_id, product_id").df()
    found: list[pd.DataFrame] = [no_metrics()]
    for setting in SETTINGS:
        bought = (truth if setting == ANY else truth[truth["is_new"]]).groupby("customer_id").size()
        here = candidates[candidates["customer_id"].isin(bought.index)]
        here = here if setting == ANY else here[~here["is_owned"]]
        here = here.merge(
            scored[scored["setting"] == setting].drop(columns="setting"), on=["customer_id", "product_id"], how="left"
        )
        found += _measured(here, bought, setting)
    measured = pd.concat(found, ignore_index=True)
    baseline = measured[measured["model"] == f"{MODEL}_{BASELINE}"].set_index(["target", "metric"])["value"]
    keys = pd.MultiIndex.from_frame(measured[["target", "metric"]])
    return measured.assign(baseline=baseline.reindex(keys).to_numpy(dtype="float64"), split="test", fold=0)[
        list(METRIC_COLUMNS)
    ].astype(METRIC_COLUMNS)


def _measured(candidates: pd.DataFrame, bought: pd.Series, setting: str) -> Iterator[pd.DataFrame]:
    if not len(bought) or not len(candidates):
        return
    buyers = candidates.groupby("product_id")["n_buyers"].first()
    popularity = (buyers / max(float(buyers.max()), 1.0)).clip(lower=1e-9)
    draw = np.random.default_rng(SEED)
    n = len(bought)
    counts = np.array([np.bincount(draw.integers(0, n, n), minlength=n) for _ in range(N_RESAMPLES)], dtype="float64")
    for name, column in {"": "score", **INGREDIENTS}.items():
        if setting == NEW and name in _OWN:
            continue
        lists = _lists(candidates, column)
        values = list_metrics(lists, bought, popularity)
        rows = []
        for metric, of_customers in values.items():
            known = of_customers.notna().to_numpy()
            if not known.any():
                continue
            numbers = np.where(known, of_customers.to_numpy(), 0.0)
            resampled = (counts @ numbers) / np.maximum(counts @ known, 1.0)
            rows.append((metric, numbers.sum() / known.sum(), *np.quantile(resampled, [0.025, 0.975])))
        coverage = lists["product_id"].nunique() / candidates["product_id"].nunique()
        rows.append(("coverage_at_10", coverage, np.nan, np.nan))
        yield pd.DataFrame(rows, columns=["metric", "value", "interval_low", "interval_high"]).assign(
            model=f"{MODEL}_{name}" if name else MODEL, target=setting
        )


def _lists(candidates: pd.DataFrame, column: str) -> pd.DataFrame:
    """List the ten best candidates of each customer by one column; ties by product."""
    known = candidates[candidates[column].fillna(0) > 0]
    ordered = known.sort_values(["customer_id", column, "product_id"], ascending=[True, False, True])
    ordered = ordered.assign(rank=ordered.groupby("customer_id").cumcount() + 1)
    return ordered.loc[ordered["rank"] <= max(LENGTHS), ["customer_id", "product_id", "rank", "is_bought"]]
