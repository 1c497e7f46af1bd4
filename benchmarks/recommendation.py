"""Recommendations on a purchase set: the warehouse's own models, each of their ingredients, and `implicit`.

The default set is Online Retail II without exact duplicates, credits, guests and codes that are no products; any other
comes as a file of ``customer_id, product_id, purchase_date``. The last 30 days are the test. The recommender has
learned from the three months before them, and `implicit` gets the settings that were best in the month before.
Whoever chooses something looks at an earlier month: ``--days-earlier 30``.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd

PROJECT = Path(__file__).resolve().parents[1]
REFERENCES = Path(os.environ.get("CRM_REFERENCE_DATA", PROJECT.parent / "shared" / "data"))
HOW_TO_GET_IMPLICIT = """\
implicit is not part of this project. Make an environment for it outside the repository, and name its Python:
    python3 -m venv ~/.cache/crm_implicit
    ~/.cache/crm_implicit/bin/python -m pip install implicit duckdb pandas
    … benchmarks/recommendation.py --implicit-python ~/.cache/crm_implicit/bin/python"""

ONLINE_RETAIL = """
select
    "Customer ID"::bigint::varchar as customer_id,
    upper("StockCode") as product_id,
    "InvoiceDate"::date as purchase_date,
    sum("Quantity") as quantity
from (select distinct * exclude (sheet) from read_parquet('{path}'))
where
    "Customer ID" is not null
    and "Invoice" not like 'C%'
    and "Quantity" > 0
    and regexp_matches("StockCode", '^[0-9]{{5}}[A-Za-z]*$')
group by all
"""

# What the models read, as the warehouse would have it: one order per customer and day, products without names.
TABLES = {
    "marts.fct_order_lines": """
        select
            customer_id || '|' || purchase_date as order_id, customer_id, product_id, purchase_date as ordered_date,
            'sale' as order_type, quantity::decimal(18, 4) as quantity
        from purchases
    """,
    "marts.fct_orders": """
        select distinct customer_id || '|' || purchase_date as order_id, customer_id, 'delivered' as status
        from purchases
    """,
    "marts.dim_products": """
        select distinct product_id, null::varchar as category, null::timestamp as discontinued_at from purchases
    """,
    "marts.dim_customers": "select distinct customer_id, null::varchar as country from purchases",
    "intermediate.int_event_horizon": "select max(purchase_date) as as_of_date from purchases",
}
MODELS = ["+int_recommendation_metrics,recommendation"]
#: Features by ingredient, to be left out one after the other.
GROUPS = {
    "own purchases": None,
    "similar customers": (
        "similarity", "best_similarity", "similar_popularity", "similar_popularity_of_best", "similar_rank",
    ),
    "baskets and paths": ("basket_confidence", "path_confidence"),
    "popularity and trend": (
        "share_of_best_7d", "share_of_best_14d", "share_of_best_30d", "share_of_best_90d", "trend_7d", "trend_30d",
        "popular_rank",
        "segment_share", "own_popularity", "own_popularity_of_best", "own_rank", "similar_popularity",
        "similar_popularity_of_best", "similar_rank",
    ),
    "season of last year": (
        "share_of_best_next_last_year", "share_of_best_last_year", "season", "n_purchases_next_last_year",
    ),
    "time between purchases": ("mean_gap_days", "gaps_since_product", "days_since_product"),
    "habits of the customer": (
        "n_purchase_days", "n_purchase_days_90d", "n_products", "mean_basket", "days_since_purchase", "purchase_share",
    ),
}  # fmt: skip


def build(purchases: str, folder: Path, days: int) -> Path:
    """Run the warehouse's models on the purchases that a query gives; the path of the warehouse."""
    warehouse = folder / "warehouse.duckdb"
    warehouse.unlink(missing_ok=True)
    with duckdb.connect(str(warehouse)) as connection:
        connection.execute(f"create temporary table purchases as {purchases}")
        connection.execute("create schema marts; create schema intermediate")
        for name, query in TABLES.items():
            connection.execute(f"create table {name} as {query}")
    command = [
        str(Path(sys.executable).parent / "dbt"), "run", "--target-path", str(folder / "target"), "--log-path",
        str(folder / "logs"), "--vars", json.dumps({"offer_days": days}), "--select", *MODELS,
    ]  # fmt: skip
    places = {"CRM_WAREHOUSE": str(warehouse), "DBT_PROJECT_DIR": str(PROJECT), "DBT_PROFILES_DIR": str(PROJECT)}
    subprocess.run(command, cwd=PROJECT, env=os.environ | places, check=True)
    return warehouse


def print_table(metrics: pd.DataFrame) -> None:
    """Print NDCG@10 and hit rate@10 of each model, in both settings."""
    for target, rows in metrics.groupby("target"):
        table = rows.pivot(index="model", columns="metric", values="value")
        table["interval"] = [
            f"{low:.4f} to {high:.4f}"
            for low, high in rows[rows["metric"] == "ndcg_at_10"]
            .set_index("model")[["interval_low", "interval_high"]]
            .reindex(table.index)
            .itertuples(index=False)
        ]
        names = ["ndcg_at_10", "interval", "hit_rate_at_10", "precision_at_10", "recall_at_10", "map_at_10"]
        names += ["coverage_at_10", "novelty_at_10"]
        print(f"\n{target}\n{table.sort_values('ndcg_at_10')[names].round(4).to_string()}", flush=True)


def leave_out(warehouse: Path) -> None:
    """Fit the recommender without each ingredient in turn, and print what NDCG@10 becomes."""
    from crm_mining.recommendation.evaluation import _lists, list_metrics
    from crm_mining.recommendation.ranker import NEW, OWN_FEATURES, SETTINGS, TEST, fit_ranker
    from crm_mining.warehouse.connection import connect

    with connect(warehouse) as connection:
        features = connection.sql("from intermediate.int_offer_features where n_back > 0 order by all").df()
        truth = connection.sql("from intermediate.int_offer_outcomes").df()
    for setting in SETTINGS:
        test = features[(features["n_back"] == TEST) & ~(features["is_owned"] & (setting == NEW))]
        learned_from = features[features["n_back"] > TEST]
        bought = (truth[truth["is_new"]] if setting == NEW else truth).groupby("customer_id").size()
        test = test[test["customer_id"].isin(bought.index)]
        ever = test.groupby("product_id")["n_buyers"].first().clip(lower=1)
        for name, columns in {"nothing": (), **GROUPS}.items():
            without = OWN_FEATURES if columns is None else columns
            if columns is None and setting == NEW:
                continue
            ranker = fit_ranker(learned_from, setting=setting, without=without)
            lists = _lists(test.assign(score=ranker.score(test)), "score")
            values = list_metrics(lists, bought, ever / ever.max())
            print(f"{setting} without {name}: NDCG@10 {values['ndcg_at_10'].mean():.4f}", flush=True)


def run_implicit(warehouse: Path, python: Path, folder: Path) -> None:
    """Let `implicit` make lists for the same customers, and print how good they are."""
    from crm_mining.recommendation.evaluation import list_metrics
    from crm_mining.warehouse.connection import connect

    purchases = folder / "purchases.parquet"
    with connect(warehouse, writable=folder) as connection:
        connection.execute(f"copy intermediate.int_product_purchases to '{purchases}' (format parquet)")
        connection.execute(f"copy intermediate.int_offer_dates to '{folder / 'dates.parquet'}' (format parquet)")
        truth = connection.sql("from intermediate.int_offer_outcomes").df()
    subprocess.run([str(python), __file__, "--lists", str(folder)], check=True)
    lists = duckdb.sql(f"from '{folder / 'lists.parquet'}' order by all").df()
    for (setting, model), rows in lists.groupby(["setting", "model"]):
        bought = (truth[truth["is_new"]] if setting == "new_product" else truth).groupby("customer_id").size()
        rows = rows[rows["customer_id"].isin(bought.index)].sort_values(["customer_id", "rank"])
        is_bought = rows.merge(truth[["customer_id", "product_id"]], how="left", indicator=True)["_merge"] == "both"
        values = list_metrics(
            rows.assign(is_bought=is_bought.to_numpy()), bought, pd.Series(1.0, index=rows["product_id"].unique())
        )
        print(
            f"{setting} implicit {model}: NDCG@10 {values['ndcg_at_10'].mean():.4f}, "
            f"hit rate@10 {values['hit_rate_at_10'].mean():.4f}",
            flush=True,
        )


def make_lists(folder: Path) -> None:
    """Make lists by `implicit`; runs in its own environment. Settings are those that were best one window earlier."""
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    warnings.filterwarnings("ignore", message="Method expects CSR input")  # what the package gives itself
    connection = duckdb.connect()
    purchases = connection.sql(f"from '{folder / 'purchases.parquet'}' order by all").df()
    dates = connection.sql(f"from '{folder / 'dates.parquet'}'").df().set_index("n_back")
    found = []
    for setting in ("any_product", "new_product"):
        for name, options in _implicit_models().items():
            on_earlier = [
                _mean_ndcg(_one_list(purchases, dates, 2, option, setting), purchases, dates, setting)
                for option in options
            ]
            best = options[int(np.argmax(on_earlier))]
            found.append(_one_list(purchases, dates, 1, best, setting).assign(setting=setting, model=name))
            print(f"{setting} {name}: {best} of {len(options)}", file=sys.stderr, flush=True)
    connection.from_df(pd.concat(found, ignore_index=True)).write_parquet(str(folder / "lists.parquet"))


def _implicit_models() -> dict[str, list[dict[str, Any]]]:
    return {
        "als": [{"kind": "als", "factors": factors, "decay": None} for factors in (32, 128)],
        "als_decayed": [{"kind": "als", "factors": factors, "decay": 90} for factors in (32, 128)],
        "bpr": [{"kind": "bpr", "factors": factors, "decay": None} for factors in (32, 128)],
        "cosine": [{"kind": "cosine", "K": neighbours, "decay": None} for neighbours in (20, 100)],
        "bm25": [{"kind": "bm25", "K": neighbours, "decay": None} for neighbours in (20, 100)],
    }


def _one_list(
    purchases: pd.DataFrame, dates: pd.DataFrame, n_back: int, option: dict[str, Any], setting: str
) -> pd.DataFrame:
    import implicit  # type: ignore[import-not-found]
    from scipy.sparse import csr_matrix

    start, end = dates.loc[n_back, "offer_date"], dates.loc[n_back, "window_end_date"]
    known = purchases[purchases["purchase_date"] <= start]
    users, items = known["customer_id"].astype("category"), known["product_id"].astype("category")
    age = (start - known["purchase_date"]).dt.days.to_numpy()
    weight = np.ones(len(known)) if option["decay"] is None else 0.5 ** (age / option["decay"])
    matrix = csr_matrix((weight.astype("float32"), (users.cat.codes, items.cat.codes)))
    # Ten items in a list; among what is new only, liked ones are filtered by the package.
    if option["kind"] == "als":
        model = implicit.als.AlternatingLeastSquares(
            factors=option["factors"], regularization=0.1, iterations=15, random_state=1, num_threads=1
        )
        model.fit((matrix * 10).tocsr(), show_progress=False)
    elif option["kind"] == "bpr":
        model = implicit.bpr.BayesianPersonalizedRanking(
            factors=option["factors"], iterations=100, learning_rate=0.05, random_state=1, num_threads=1
        )
        model.fit(matrix, show_progress=False)
    else:
        kind = implicit.nearest_neighbours.CosineRecommender if option["kind"] == "cosine" else (
            implicit.nearest_neighbours.BM25Recommender
        )  # fmt: skip
        model = kind(K=option["K"], num_threads=1)
        model.fit(matrix, show_progress=False)
    later = purchases[(purchases["purchase_date"] > start) & (purchases["purchase_date"] <= end)]
    wanted = np.flatnonzero(users.cat.categories.isin(later["customer_id"].unique()))
    ids, _ = model.recommend(wanted, matrix[wanted], N=10, filter_already_liked_items=setting == "new_product")
    return pd.DataFrame(
        {
            "n_back": n_back,
            "customer_id": np.repeat(users.cat.categories[wanted], 10),
            "product_id": np.asarray(items.cat.categories)[np.maximum(ids, 0)].ravel(),
            "rank": np.tile(np.arange(1, 11), len(wanted)),
        }
    )[(ids >= 0).ravel()]


def _mean_ndcg(lists: pd.DataFrame, purchases: pd.DataFrame, dates: pd.DataFrame, setting: str) -> float:
    n_back = lists["n_back"].iloc[0]
    start, end = dates.loc[n_back, "offer_date"], dates.loc[n_back, "window_end_date"]
    first = purchases.groupby(["customer_id", "product_id"])["purchase_date"].min().rename("first").reset_index()
    later = purchases[(purchases["purchase_date"] > start) & (purchases["purchase_date"] <= end)]
    later = later[["customer_id", "product_id"]].drop_duplicates().merge(first)
    later = later if setting == "any_product" else later[later["first"] > start]
    hits = lists.merge(later[["customer_id", "product_id"]])
    gain = (1 / np.log2(hits["rank"] + 1)).groupby(hits["customer_id"]).sum()
    n_bought = later[later["customer_id"].isin(lists["customer_id"])].groupby("customer_id").size()
    best = np.cumsum(1 / np.log2(np.arange(2, 12)))[np.minimum(n_bought, 10) - 1]
    return float((gain.reindex(n_bought.index, fill_value=0) / best).mean())


def main() -> None:
    """Read the command line, run, and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--purchases", type=Path, help="file of customer_id, product_id, purchase_date; default: Online Retail II"
    )
    parser.add_argument("--days", type=int, default=30, help="days of each window")
    parser.add_argument("--days-earlier", type=int, default=0, help="cut off the last n days first")
    parser.add_argument("--leave-out", action="store_true", help="fit without each ingredient in turn, too")
    parser.add_argument("--implicit-python", type=Path, help="the Python of an environment that has implicit")
    parser.add_argument("--folder", type=Path, help="where the warehouse is left; default: nowhere")
    parser.add_argument("--lists", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.lists:
        make_lists(arguments.lists)
        return
    source = REFERENCES / "online_retail_ii" / "online_retail_ii.parquet"
    if arguments.purchases is None and not source.is_file():
        sys.exit(
            f"{source} is missing; name a folder of the reference data in CRM_REFERENCE_DATA, or a file by --purchases"
        )
    purchases = ONLINE_RETAIL.format(path=source) if arguments.purchases is None else (
        f"""select customer_id::varchar as customer_id, product_id::varchar as product_id,
            purchase_date::date as purchase_date, count(*) as quantity from '{arguments.purchases}' group by all"""
    )  # fmt: skip
    purchases = f"""with every as ({purchases})
        from every where purchase_date <= (select max(purchase_date) from every) - {arguments.days_earlier}"""
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        warehouse = build(purchases, folder, arguments.days)
        from crm_mining.warehouse.connection import connect

        with connect(warehouse) as connection:
            print_table(connection.sql("from intermediate.int_recommendation_metrics").df())
        if arguments.leave_out:
            leave_out(warehouse)
        if arguments.implicit_python:
            run_implicit(warehouse, arguments.implicit_python, folder)
        else:
            print(HOW_TO_GET_IMPLICIT, file=sys.stderr)


if __name__ == "__main__":
    main()
