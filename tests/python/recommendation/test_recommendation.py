"""The recommender: what its lists are worth, that it sees no future, what it does with little to learn from."""

from collections import Counter, defaultdict
from collections.abc import Callable
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pytest
from conftest import Build

from crm_mining.recommendation.evaluation import evaluate_recommendations, list_metrics
from crm_mining.recommendation.ranker import (
    ANY,
    FALL_BACK,
    FEATURES,
    LEARNED,
    NEW,
    OWN_FEATURES,
    fit_ranker,
    score_from_tables,
)


@pytest.fixture
def candidates() -> pd.DataFrame:
    """Five windows in which customers buy again what they bought, the popular rather than the rest."""
    draw = np.random.default_rng(3)
    rows = pd.DataFrame(
        [(n_back, f"C{c:03d}", f"P{p:02d}") for n_back in range(5) for c in range(80) for p in range(20)],
        columns=["n_back", "customer_id", "product_id"],
    )
    for name in (*FEATURES, *OWN_FEATURES):
        rows[name] = 0.0
    rows["n_buyers_14d"] = rows["product_id"].str[1:].astype("int64") + 1.0
    rows["n_buyers"] = rows["n_buyers_7d"] = rows["n_buyers_14d"]
    rows["share_of_best_14d"] = rows["n_buyers_14d"] / 20
    rows["is_owned"] = draw.random(len(rows)) < 0.3
    rows["weight_90d"] = np.where(rows["is_owned"], draw.random(len(rows)), np.nan)
    rows["own_popularity"] = rows["weight_90d"].fillna(0) * rows["n_buyers_14d"]
    rows["similarity"] = np.where(draw.random(len(rows)) < 0.5, draw.random(len(rows)), np.nan)
    odds = -3.5 + 3 * rows["weight_90d"].fillna(0) + 2 * rows["similarity"].fillna(0) + 0.08 * rows["n_buyers_14d"]
    rows["is_bought"] = (draw.random(len(rows)) < 1 / (1 + np.exp(-odds))) & (rows["n_back"] > 0)
    return rows


def _scores(candidates: pd.DataFrame, *, may_be_owned: bool = False) -> pd.DataFrame:
    with duckdb.connect() as connection:
        relation = connection.from_df(candidates)
        table = score_from_tables(relation, may_be_owned=may_be_owned).read_all().to_pandas()
    return table.sort_values(["n_back", "setting", "customer_id", "product_id"], ignore_index=True)


def test_metrics_of_a_list_by_hand() -> None:
    lists = pd.DataFrame(
        {
            "customer_id": ["A"] * 6,
            "product_id": list("uvwxyz"),
            "rank": [1, 2, 3, 4, 5, 6],
            "is_bought": [False, True, False, True, False, True],
        }
    )
    bought = pd.Series({"A": 4, "B": 1})
    found = list_metrics(lists, bought, pd.Series(0.25, index=list("uvwxyz")))
    a = found.loc["A"]
    assert a["precision_at_5"] == pytest.approx(2 / 5)
    assert a["precision_at_10"] == pytest.approx(3 / 10)
    assert a["recall_at_10"] == pytest.approx(3 / 4)
    assert a["f1_at_5"] == pytest.approx(2 * 0.4 * 0.5 / 0.9)
    best = sum(1 / np.log2(place + 1) for place in (1, 2, 3, 4))
    assert a["ndcg_at_5"] == pytest.approx((1 / np.log2(3) + 1 / np.log2(5)) / best)
    assert a["map_at_10"] == pytest.approx((1 / 2 + 2 / 4 + 3 / 6) / 4)
    assert a["hit_rate_at_10"] == 1
    assert a["novelty_at_10"] == pytest.approx(2)
    assert (found.loc["B"].drop(["novelty_at_5", "novelty_at_10"]) == 0).all()


def test_it_ranks_better_than_any_ingredient(candidates: pd.DataFrame) -> None:
    test = candidates[candidates["n_back"] == 1]
    for setting in (ANY, NEW):
        ranker = fit_ranker(candidates[candidates["n_back"] > 1], setting=setting)
        assert ranker.method == LEARNED
        here = test if setting == ANY else test[~test["is_owned"]]
        ranks = {
            name: _auc(score, here["is_bought"])
            for name, score in {
                "ranker": ranker.score(here),
                "own": here["own_popularity"],
                "similar": here["similarity"].fillna(0),
                "popular": here["n_buyers_14d"],
            }.items()
        }
        assert ranks["ranker"] > max(value for name, value in ranks.items() if name != "ranker") + 0.01, ranks


def _auc(score: Any, y: pd.Series) -> float:
    ranks = pd.Series(np.asarray(score)).rank().to_numpy()
    yes = y.to_numpy(dtype="bool")
    return float((ranks[yes].mean() - (yes.sum() + 1) / 2) / (~yes).sum())


def test_a_window_does_not_know_what_is_bought_in_it_nor_the_order_of_rows(candidates: pd.DataFrame) -> None:
    window = 1
    is_known = candidates["n_back"] > window
    changed = candidates.assign(is_bought=candidates["is_bought"].where(is_known, ~candidates["is_bought"]))
    before, after = _scores(candidates), _scores(changed.sample(frac=1, random_state=5))
    pd.testing.assert_frame_equal(before[before["n_back"] == window], after[after["n_back"] == window])
    assert not before[before["n_back"] == 0].equals(after[after["n_back"] == 0])


def test_the_setting_of_today_is_asked_for(candidates: pd.DataFrame) -> None:
    for may_be_owned, setting in ((True, ANY), (False, NEW)):
        scored = _scores(candidates, may_be_owned=may_be_owned)
        assert set(scored.loc[scored["n_back"] == 0, "setting"]) == {setting}
        assert set(scored.loc[scored["n_back"] == 1, "setting"]) == {ANY, NEW}
        assert scored["score"].between(0, 1).all()


def test_with_little_to_learn_from_it_ranks_by_popularity(candidates: pd.DataFrame) -> None:
    few = candidates[candidates["customer_id"] < "C005"]
    ranker = fit_ranker(few[few["n_back"] > 1], setting=NEW)
    assert ranker.method == FALL_BACK
    one = few[(few["n_back"] == 0) & (few["customer_id"] == "C000")]
    order = one.assign(score=ranker.score(one)).sort_values("score")["n_buyers_14d"]
    assert order.is_monotonic_increasing


def test_no_candidates_give_no_scores_and_no_metrics(candidates: pd.DataFrame) -> None:
    assert len(_scores(candidates.iloc[:0])) == 0
    with duckdb.connect() as connection:
        nothing = connection.from_df(candidates.iloc[:0])
        scores = connection.from_df(_scores(candidates.iloc[:0]))
        bought = connection.sql("select '' as customer_id, '' as product_id, true as is_new where false")
        assert len(evaluate_recommendations(scores, nothing, bought)) == 0


def test_an_unknown_setting_is_named(candidates: pd.DataFrame) -> None:
    with pytest.raises(ValueError, match="setting is 'old'; allowed: any_product, new_product"):
        fit_ranker(candidates, setting="old")


def test_everybody_gets_ten_and_nothing_owned_or_gone(sample_build: Build) -> None:
    short = """
        select customer_id, count(recommendation_rank), max(recommendation_rank)
        from marts.dim_customers left join marts.customer_recommendations using (customer_id)
        group by customer_id having count(recommendation_rank) != 10 or max(recommendation_rank) != 10
    """
    assert sample_build.query(short) == []
    wrong = """
        select customer_id, product_id from marts.customer_recommendations
        semi join intermediate.int_product_purchases using (customer_id, product_id)
        union all
        select customer_id, product_id from marts.customer_recommendations
        inner join marts.dim_products using (product_id) where not is_available
    """
    assert sample_build.query(wrong) == []
    new, sources = sample_build.query("""
        select count(distinct customer_id) filter (where is_cold_start), count(distinct source)
        from marts.customer_recommendations
    """)[0]
    bought_nothing = """
        select count(*) from marts.dim_customers anti join intermediate.int_product_purchases using (customer_id)
    """
    assert (new,) == sample_build.query(bought_nothing)[0]
    assert sources == 4


def test_rules_of_offers_equal_counting_by_hand(sample_build: Build) -> None:
    """Of the last of the windows that are learned from: what comes after its first day is not counted."""
    n_back = 4
    first, days = sample_build.query(
        f"select offer_date, similarity_days from intermediate.int_offer_dates where n_back = {n_back}"
    )[0]
    baskets: dict[str, dict[Any, set[str]]] = defaultdict(lambda: defaultdict(set))
    for customer, product, day in sample_build.query(
        "select customer_id, product_id, purchase_date from intermediate.int_product_purchases"
    ):
        if 0 <= (first - day).days < days:
            baskets[customer][day].add(product)
    n_baskets = sum(map(len, baskets.values()))
    n_of: Counter[str] = Counter()
    n_after: Counter[str] = Counter()
    together: Counter[tuple[str, str]] = Counter()
    followed: Counter[tuple[str, str]] = Counter()
    for by_day in baskets.values():
        for day, products in by_day.items():
            later = set().union(*(by_day[other] for other in by_day if 0 < (other - day).days <= 30))
            n_of.update(products)
            n_after.update(later)
            together.update((one, other) for one in products for other in products)
            followed.update((one, other) for one in products for other in later)
    rules = sample_build.query(f"""
        select
            product_id, other_product_id, n_together, n_followed, basket_confidence, basket_lift, path_confidence,
            path_lift
        from intermediate.int_offer_rules where n_back = {n_back}
    """)
    assert len(rules) > 200
    for one, other, n_together, n_followed, basket_confidence, basket_lift, path_confidence, path_lift in rules:
        assert (n_together, n_followed) == (together[one, other], followed[one, other])
        assert basket_lift == pytest.approx(n_together * n_baskets / n_of[one] / n_of[other])
        assert path_lift == pytest.approx(n_followed * n_baskets / n_of[one] / n_after[other])
        for n, n_right, confidence in (
            (n_together, n_of[other], basket_confidence),
            (n_followed, n_after[other], path_confidence),
        ):
            by_chance = n_of[one] * n_right / n_baskets
            is_rule = n >= 5 and n - by_chance > 3 * by_chance**0.5
            assert confidence == (pytest.approx(n / n_of[one]) if is_rule else None)


def test_every_offer_says_where_it_comes_from(sample_build: Build) -> None:
    """Each source has its words, and a rule the product that it begins with and that the customer has bought."""
    words = sample_build.query("""
        select distinct
            source, regexp_extract(reason, '^(bought together with|bought after|customers who bought|popular)')
        from marts.customer_recommendations order by all
    """)
    assert words == [
        ("basket_rule", "bought together with"),
        ("path_rule", "bought after"),
        ("popular_in_segment", "popular"),
        ("similar_customers", "customers who bought"),
    ]
    unexplained = """
        select customer_id, product_id from marts.customer_recommendations
        where source in ('basket_rule', 'path_rule') and not exists (
            from intermediate.int_product_purchases inner join intermediate.int_offer_rules using (product_id)
            where n_back = 0
                and int_product_purchases.customer_id = customer_recommendations.customer_id
                and int_offer_rules.other_product_id = customer_recommendations.product_id
                and case source when 'basket_rule' then basket_lift else path_lift end > 1
        )
    """
    assert sample_build.query(unexplained) == []


@pytest.mark.parametrize("target", [ANY, NEW])
def test_on_the_sample_it_beats_what_is_hard_to_beat(sample_build: Build, target: str) -> None:
    found = dict(
        sample_build.query(f"""
        select model, value from marts.model_metrics where target = '{target}' and metric = 'ndcg_at_10'
    """)
    )
    assert len(found) >= 9
    assert found["recommendation"] > 1.2 * found["recommendation_popularity"]
    others: Callable[[str], bool] = lambda model: model != "recommendation"  # noqa: E731
    assert found["recommendation"] > max(value for model, value in found.items() if others(model)) - 0.01, found
