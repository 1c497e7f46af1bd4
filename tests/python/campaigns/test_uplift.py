"""Uplift: effects that were planted are found, curves are right by hand, and small groups are no model."""

import shutil
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pytest
from conftest import Build, dbt_run_in_process
from dbt.contracts.graph.manifest import Manifest

from crm_mining.campaigns.uplift import (
    _Ranking,
    estimate_effects,
    evaluate_uplift,
    qini_coefficient,
    qini_curve,
    score_from_tables,
)
from crm_mining.evaluation.resampling import draw_counts


def world(n: int = 1500, n_campaigns: int = 6, effect: float = 0.2, seed: int = 1) -> pd.DataFrame:
    """Campaigns that move buyers of garden things and nobody else; office people buy most anyway."""
    draw = np.random.default_rng(seed)
    parts = []
    for number in range(n_campaigns):
        day = date(2024, 1, 1) + timedelta(days=40 * number)
        garden = np.arange(n) % 2 == 0
        treated = draw.random(n) < 0.7
        chance = np.where(garden, 0.05 + effect * treated, 0.35)
        parts.append(
            pd.DataFrame(
                {
                    "campaign_id": f"CA{number}",
                    "customer_id": [f"C{i:05d}" for i in range(n)],
                    "channel": "email" if number % 2 else "post",
                    "started_date": day,
                    "moment_date": day,
                    "outcome_known_date": day + timedelta(days=14),
                    "is_treated": treated,
                    "has_converted": draw.random(n) < chance,
                    "age_years": np.where(draw.random(n) < 0.2, np.nan, draw.uniform(18, 90, n)),
                    "opened_share": 0.25,
                    "n_orders": draw.poisson(3, n),
                    "n_orders_90d": draw.poisson(1, n),
                    "days_since_order": draw.integers(1, 300, n).astype("float64"),
                    "days_since_first_order": draw.integers(300, 600, n).astype("float64"),
                    "n_messages": number,
                    "main_category": np.where(garden, "Garden", "Office"),
                    "true_effect": np.where(garden, effect, 0.0),
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


def test_a_curve_by_hand() -> None:
    curve = qini_curve([0.3, 0.1, 0.3, -0.2], [1.0, 0.0, 0.0, -1.0])
    assert curve["share"].tolist() == [0, 0.5, 0.75, 1]
    assert curve["gained"].tolist() == [0, 0.25, 0.25, 0]
    assert curve["random"].tolist() == [0, 0, 0, 0]
    assert qini_coefficient([0.3, 0.1, 0.3, -0.2], [1.0, 0.0, 0.0, -1.0]) == pytest.approx(0.0625 + 0.0625 + 0.03125)


def test_sorting_by_nothing_or_wrongly_is_no_gain() -> None:
    gain = np.array([1.0, 0.0, 2.0, 0.0])
    assert qini_coefficient(np.zeros(4), gain) == 0
    assert qini_coefficient(-gain, gain) == pytest.approx(-qini_coefficient(gain, gain))
    with pytest.raises(ValueError, match=r"shape \(2,\)"):
        qini_coefficient([1, 2], [1.0])


def test_planted_effects_are_found() -> None:
    known = world()
    found = estimate_effects(known, known)
    assert found.method == "learned"
    garden = (known["main_category"] == "Garden").to_numpy()
    for estimate in (found.two_models, found.transformed, found.uplift):
        assert estimate[garden].mean() == pytest.approx(0.2, abs=0.04)
        assert estimate[~garden].mean() == pytest.approx(0.0, abs=0.04)


def test_later_campaigns_judge_by_control_group_and_by_truth(tmp_path: Path) -> None:
    known = world()
    people = known.drop_duplicates("customer_id")
    records = pd.DataFrame(
        {
            "source_table": "marketing.subscribers",
            "source_key": people["customer_id"],
            "person_id": people["customer_id"],
        }
    )
    records.to_csv(tmp_path / "record_persons.csv", index=False)
    pd.DataFrame({"person_id": people["customer_id"], "effect_group": people["main_category"]}).to_csv(
        tmp_path / "persons.csv", index=False
    )
    effects = known.groupby(["campaign_id", "main_category"])["true_effect"].mean().rename("uplift").reset_index()
    effects.rename(columns={"main_category": "effect_group"}).to_csv(tmp_path / "campaign_effects.csv", index=False)
    with duckdb.connect() as connection:
        sources = connection.from_df(records.assign(customer_id=records["source_key"]).drop(columns="person_id"))
        features = connection.from_df(known.drop(columns="true_effect"))
        blind = evaluate_uplift(features, sources)
        seeing = evaluate_uplift(
            features,
            sources,
            record_persons=tmp_path / "record_persons.csv",
            persons=tmp_path / "persons.csv",
            effects=tmp_path / "campaign_effects.csv",
        )
    by = blind.set_index(["model", "metric"])
    assert set(blind["metric"]) == {"qini", "top_third_effect"}
    for model in ("uplift_two_models", "uplift_transformed_outcome", "uplift_mean"):
        assert by.loc[(model, "qini"), "interval_low"] > 0
        assert by.loc[(model, "qini"), "value"] > by.loc[(model, "qini"), "baseline"]
        assert by.loc[(model, "top_third_effect"), "value"] == pytest.approx(0.2, abs=0.07)
    true = seeing.set_index(["model", "metric"])["value"]
    assert true["uplift_mean", "share_of_perfect"] > 0.8
    assert true["uplift_mean", "top_third_effect_of_truth"] > 0.19
    assert true["uplift_response", "share_of_perfect"] < 0


def test_small_groups_share_one_effect_and_no_control_group_shows_none() -> None:
    few = world(n=30, n_campaigns=2)
    found = estimate_effects(few, few)
    assert found.method == "mean"
    assert len(set(found.uplift)) == 1
    without = estimate_effects(few.assign(is_treated=True), few)
    assert without.method == "none"
    assert (without.uplift == 0).all()


def test_the_order_of_rows_changes_nothing() -> None:
    known = world(n=400)
    current = known[known["campaign_id"] == "CA0"].assign(campaign_id="current", is_treated=None, has_converted=None)
    rows = pd.concat([known, current], ignore_index=True)
    with duckdb.connect() as connection:
        first = score_from_tables(connection.from_df(rows))
        second = score_from_tables(connection.from_df(rows.sample(frac=1, random_state=2)))
    pd.testing.assert_frame_equal(first, second)


def test_campaigns_hold_against_their_control_groups(sample_build: Build) -> None:
    rows = sample_build.query("""
        select campaign_id, lift, lift_low, lift_high, n_treated, n_control, n_converted / n_treated
            - n_control_converted / n_control as difference, n_sent >= n_treated, n_opened <= n_treated
        from marts.campaign_performance order by campaign_id
    """)
    assert len(rows) == 12
    for _, lift, low, high, treated, control, difference, has_sent, has_opened in rows:
        assert lift == pytest.approx(difference)
        assert low < lift < high
        assert treated > control > 0
        assert has_sent
        assert has_opened


def test_most_intervals_hold_the_planted_effect(sample_build: Build) -> None:
    truth = Path(__file__).resolve().parents[3] / "seeds" / "sample" / "truth"
    held = sample_build.query(f"""
        with planted as (
            select outcomes.campaign_id, avg(effects.uplift::double) as effect
            from intermediate.int_message_outcomes as outcomes
            inner join intermediate.int_customer_sources as sources
                on sources.customer_id = outcomes.customer_id and sources.source_table = 'marketing.subscribers'
            inner join read_csv('{truth}/record_persons.csv', all_varchar=true) as records
                on records.source_table = sources.source_table and records.source_key = sources.source_key
            inner join read_csv('{truth}/persons.csv', all_varchar=true) as persons using (person_id)
            inner join read_csv('{truth}/campaign_effects.csv', all_varchar=true) as effects
                on effects.campaign_id = outcomes.campaign_id and effects.effect_group = persons.effect_group
            group by outcomes.campaign_id
        )
        select count(*) filter (where effect between lift_low and lift_high), count(*)
        from planted inner join marts.campaign_performance using (campaign_id)
    """)[0]
    assert held[1] == 12
    assert held[0] >= 10


def test_actions_keep_consent_pauses_and_their_arithmetic(sample_build: Build) -> None:
    broken = sample_build.query("""
        select actions.customer_id, actions.action
        from marts.next_best_actions as actions
        inner join marts.dim_customers as customers using (customer_id)
        left join marts.fct_campaign_touches as touches
            on touches.customer_id = actions.customer_id and not touches.is_control
            and touches.touched_at::date > actions.as_of_date - 14
        where actions.action not in ('leave_alone', 'resolve_ticket_first')
            and (customers.has_consent is not true or touches.customer_id is not null)
    """)
    assert broken == []
    assert (
        sample_build.query("""
        select customer_id from marts.next_best_actions
        where action != 'leave_alone'
            and abs(probability * value_amount - cost_amount - expected_value) > 0.005 * probability + 0.006
    """)
        == []
    )
    one_each = "select count(*) from marts.dim_customers anti join marts.next_best_actions using (customer_id)"
    assert sample_build.query(one_each) == [(0,)]
    actions = dict(sample_build.query("select action, count(*) from marts.next_best_actions group by action"))
    assert len(actions) >= 4, actions
    ranks = sample_build.query("select max(action_rank), count(action_rank) from marts.next_best_actions")[0]
    assert ranks[0] == ranks[1]


def test_a_budget_is_kept_and_takes_what_brings_most_for_its_cost(
    sample_build: Build, manifest: Manifest, tmp_path: Path
) -> None:
    shutil.copy(sample_build.warehouse, tmp_path / "warehouse.duckdb")
    rerun = dbt_run_in_process(manifest, tmp_path, {"action_budget_amount": 150}, "next_best_actions")
    assert rerun.returncode == 0, rerun.output[-6000:]
    actions = "from marts.next_best_actions where action != 'leave_alone' and action_rank is not null"
    spent, n = rerun.query(f"select sum(cost_amount), count(*) {actions}")[0]
    assert 145 < spent <= 150
    without = set(sample_build.query(f"select customer_id {actions} and action_rank <= {n}"))
    assert set(rerun.query(f"select customer_id {actions}")) == without
    left = "select count(*) from marts.next_best_actions where reason = 'other actions bring more for the budget'"
    assert rerun.query(left)[0][0] == sample_build.query(f"select count(*) {actions}")[0][0] - n


@pytest.mark.parametrize("budget", ["a lot", -1, "nan", True])
def test_an_impossible_budget_is_named(budget: Any, manifest: Manifest, tmp_path: Path) -> None:
    run = dbt_run_in_process(manifest, tmp_path, {"action_budget_amount": budget}, "next_best_actions", "compile")
    assert run.returncode == 1
    assert f"var action_budget_amount is {budget}; allowed: a number from 0 to" in run.output


def test_audiences_hold_who_consented_and_no_address(sample_build: Build) -> None:
    assert (
        sample_build.query("""
        select customer_id from marts.audiences inner join marts.dim_customers using (customer_id)
        where has_consent is not true
    """)
        == []
    )
    shapes = sample_build.query(
        "select distinct length(hashed_email) from marts.audiences where hashed_email is not null"
    )
    assert shapes == [(64,)]
    n = sample_build.query("select count(*), count(distinct audience) from marts.audiences")[0]
    assert n[0] > 100
    assert n[1] >= 5


@pytest.mark.parametrize("digits", [9, 1])
def test_weights_measure_as_the_drawn_rows_do(digits: int) -> None:
    rng = np.random.default_rng(3)
    uplift, gain = rng.normal(size=300).round(digits), rng.normal(0.1, 1, 300)
    (counts,) = draw_counts(300, 10, 0)
    area, top = _Ranking(uplift, gain).measure(counts)
    for i, n in enumerate(counts.T.astype("int64")):
        drawn_uplift, drawn_gain = np.repeat(uplift, n), np.repeat(gain, n)
        assert area[i] == pytest.approx(qini_coefficient(drawn_uplift, drawn_gain), abs=1e-9)
        means = pd.Series(drawn_gain).groupby(drawn_uplift).transform("mean").to_numpy()
        first = np.argsort(-drawn_uplift, kind="stable")[:100]
        assert top[i] == pytest.approx(means[first].mean(), abs=1e-9)
