"""Predictions through the dbt models and their tables: a past that stays, scores that SQL repeats, odd input."""

import shutil
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from conftest import Build, dbt_run_in_process, open_to_read, open_to_write
from dbt.contracts.graph.manifest import Manifest

from crm_mining.prediction import candidates, selection
from crm_mining.prediction.tables import FIT_SCHEMA, SCORE_SCHEMA, fit_from_tables, score_from_tables

FEATURES = """int_as_of_dates int_purchase_bookings int_customer_purchases int_customer_activity int_customer_days
    int_activity_features int_purchase_features int_basket_features int_web_features int_service_features
    int_campaign_features int_pipeline_features int_person_features int_campaign_outcomes int_pipeline_outcomes
    int_customer_features int_customer_labels"""
Rows = list[tuple[Any, ...]]


@pytest.fixture
def rerun(manifest: Manifest, sample_build: Build, tmp_path: Path) -> Callable[..., Build]:
    """Change a copy of the built sample by SQL, then run the models of features and predictions again."""
    shutil.copy(sample_build.warehouse, tmp_path / "warehouse.duckdb")

    def run(*changes: str, selection: str = FEATURES) -> Build:
        with open_to_write(tmp_path / "warehouse.duckdb") as con:
            for change in changes:
                con.execute(change)
        finished = dbt_run_in_process(manifest, tmp_path, {}, selection)
        assert finished.returncode == 0, finished.output[-6000:]
        return finished

    return run


def test_what_comes_later_leaves_features_labels_and_scores_as_they_were(
    sample_build: Build, rerun: Callable[..., Build]
) -> None:
    """Everything that happened in the last year happens again, a year later and up to 90 days after the last day."""
    day = "(select as_of_date from intermediate.int_event_horizon)"

    def again(table: str, keys: list[str], *times: str, date: str | None = None) -> str:
        changed = [f"{key} || '-later' as {key}" for key in keys]
        changed += [f"{time} + interval 360 day as {time}" for time in times]
        changed += [f"{date} + 360 as {date}"] if date else []
        return f"""insert into marts.{table} select * replace ({", ".join(changed)}) from marts.{table}
            where {times[0]}::date between {day} - 359 and {day} - 270"""

    later = rerun(
        again("fct_orders", ["order_id"], "ordered_at", date="ordered_date"),
        again("fct_order_lines", ["order_line_id", "order_id"], "ordered_at", date="ordered_date"),
        again("fct_web_sessions", ["web_session_id"], "started_at", "ended_at"),
        again("fct_tickets", ["ticket_id"], "opened_at", "closed_at"),
        again("fct_campaign_touches", ["campaign_touch_id"], "touched_at", "opened_at", "clicked_at"),
        again("fct_opportunities", ["opportunity_id"], "created_at", "closed_at"),
        again("fct_opportunity_stages", ["opportunity_stage_id", "opportunity_id"], "entered_at", "left_at"),
        "update intermediate.int_event_horizon set as_of_date = as_of_date + 90",
        selection=f"{FEATURES} int_prediction_scores",
    )
    for table in ("int_customer_features", "int_customer_labels", "int_prediction_scores"):
        every = f"from intermediate.{table}"
        days = {row for build in (sample_build, later) for row in build.query(f"select distinct as_of_date {every}")}
        common = {row for row in days if all(row in b.query(f"select distinct as_of_date {every}")
                                             for b in (sample_build, later))}  # fmt: skip
        assert common
        where = f"where as_of_date in ({', '.join(repr(str(day)) for (day,) in common)}) order by all"
        assert later.query(f"{every} {where}") == sample_build.query(f"{every} {where}"), table
    assert later.query("select count(*) from intermediate.int_customer_labels") > sample_build.query(
        "select count(*) from intermediate.int_customer_labels"
    )


def test_scores_are_probabilities_with_reasons_deciles_and_a_model(sample_build: Build) -> None:
    impossible = sample_build.query("""
        select * from marts.customer_scores where not (
            (coalesce(probability between 0 and 1, false) or coalesce(expected_amount >= 0, false))
            and (probability is null) != (expected_amount is null) and isfinite(coalesce(probability, expected_amount))
        )
    """)
    assert impossible == []
    sizes = sample_build.query("""
        select max(n) - min(n) from (select target, as_of_date, decile, count(*) as n from marts.customer_scores
            group by all) group by target, as_of_date
    """)
    assert all(difference <= 1 for (difference,) in sizes)
    labels = {label for (label,) in sample_build.query("select label from lookup.feature_labels")}
    reasons = sample_build.query("select distinct reason_1 from marts.customer_scores where reason_1 is not null")
    assert reasons
    assert all(any(text.startswith(label) for label in labels) for (text,) in reasons)
    assert all(text.endswith((": raises", ": lowers")) for (text,) in reasons)


def test_a_champion_beats_its_baseline_on_the_holdout_or_is_replaced(sample_build: Build) -> None:
    fits = sample_build.query("select target, kind, model, status from marts.prediction_models where is_used")
    assert len(fits) == 6
    champions = [(target, kind, model) for target, kind, model, status in fits if status == selection.CHAMPION]
    assert {"buys_30d", "buys_90d"} <= {target for target, _, _ in champions}
    for target, kind, model in champions:
        metric = "roc_auc" if kind == "classification" else "rmse"
        value, low, high, baseline = sample_build.query(f"""
            select value, interval_low, interval_high, baseline from marts.model_metrics
            where target = '{target}' and model = '{model}' and metric = '{metric}' and split = 'holdout'
        """)[0]
        assert low > baseline if metric == "roc_auc" else high < baseline
        assert low <= value <= high


def test_sql_repeats_the_probability_of_linear_models(sample_build: Build) -> None:
    """By nothing but model_terms and term_segments, as the description of model_terms says."""
    linear = sample_build.query("""
        select target, model from marts.prediction_models
        where model in ('logistic_regression', 'scorecard') and kind = 'classification'
    """)
    assert linear
    target = "buys_90d"
    with open_to_read(sample_build.warehouse) as con:
        columns = con.execute(f"""select distinct feature, kind in ('level', 'other') as is_text
            from marts.term_segments where target = '{target}' and family in ('normal', 'level')""").fetchall()
        is_text = {feature: any(text for f, text in columns if f == feature) for feature, _ in columns}
        day = "(select max(as_of_date) from intermediate.int_customer_features)"
        long = " union all ".join(
            f"select customer_id, '{f}' as feature, {'null' if text else f}::double as x, "
            f"{f if text else 'null'}::varchar as t from intermediate.int_customer_features where as_of_date = {day}"
            for f, text in sorted(is_text.items())
        )
        by_sql = con.execute(f"""
            with long as ({long}),
            terms as (select * from marts.model_terms where target = '{target}' and model = 'logistic_regression'),
            pieces as (
                select segments.*, terms.coefficient from marts.term_segments as segments
                join terms on segments.term = terms.term and segments.target = '{target}'
            ),
            summed as (
                select customer_id, sum(coefficient * case kind when 'segment'
                    then pow(start + slope * (x - coalesce(lower, 0)), power) else 1 end) as s
                from long join pieces using (feature)
                where case kind
                    when 'segment' then x >= coalesce(lower, '-inf'::double) and x < coalesce(upper, 'inf'::double)
                    when 'level' then t = level
                    when 'missing' then x is null and t is null
                    else t is not null and t not in (select level from pieces as known
                        where known.feature = long.feature and known.kind = 'level') end
                group by customer_id
            )
            select customer_id, s + (select coefficient from terms where term = '(intercept)') as s
            from summed order by customer_id
        """).df()
        frame = con.execute(f"from intermediate.int_customer_features where as_of_date = {day}").df()
        fits = con.table("intermediate.int_prediction_fits")
        from crm_mining.prediction.tables import _restore

        fitted = max(day for (day,) in fits.project("fitted_as_of_date").distinct().fetchall())
        fit, _ = _restore(fits, fitted)[target]
    frame = frame.sort_values("customer_id", ignore_index=True)
    raw = fit.models["logistic_regression"].raw(fit.encoded, frame)
    assert np.abs(by_sql["s"].to_numpy() - raw).max() < 1e-9


def _small(n: int, days: list[date], *, seed: int = 0) -> tuple[pd.DataFrame, pd.DataFrame]:
    rng = np.random.default_rng(seed)
    keys = pd.DataFrame([(f"C{i:05d}", day) for i in range(n) for day in days], columns=["customer_id", "as_of_date"])
    features = keys.assign(
        days_since_purchase=rng.integers(0, 400, len(keys)), n_orders=rng.poisson(3, len(keys)),
        order_amount=rng.gamma(2, 30, len(keys)), country=rng.choice(["DE", "FR"], len(keys)),
    )  # fmt: skip
    p = 1 / (1 + np.exp(features["days_since_purchase"] / 60 - 2))
    return features, keys.assign(buys_90d=rng.random(len(keys)) < p)


def _run(features: pd.DataFrame, labels: pd.DataFrame, **options: Any) -> tuple[pa.Table, pa.Table]:
    with duckdb.connect() as con:
        for name, table in (("features", features), ("labels", labels)):
            con.register(name, table)
            con.execute(f"create table t_{name} as select * replace (as_of_date::date as as_of_date) from {name}")
        targets = con.sql("""select 'buys_90d' as target, 'classification' as kind, null::varchar as last_period,
            null::varchar as population""")
        words = con.sql("""select * from (values ('days_since_purchase', 'days since the last purchase'),
            ('n_orders', 'purchases'), ('country', 'country')) as words(feature, label)""")
        fits = fit_from_tables(con.table("t_features"), con.table("t_labels"), targets, words, **options)
        con.register("fits", fits)
        return fits, score_from_tables(con.table("t_features"), con.table("fits"), targets, words).read_all()


def test_scores_read_nothing_but_stored_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    quick = {name: candidates.CLASSIFIERS[name] for name in ("logistic_regression", "scorecard", "decision_tree")}
    monkeypatch.setattr(candidates, "CLASSIFIERS", quick)
    days = [date(2024, 1, 1), date(2024, 3, 31), date(2024, 6, 29)]
    features, labels = _small(600, [*days, date(2024, 9, 27)])
    labels = labels[labels["as_of_date"].isin(days)]
    fits, scores = _run(features, labels)
    table = scores.to_pandas()
    assert set(fits.column("fitted_as_of_date").to_pylist()) == {date(2024, 9, 27)}
    assert scores.schema == SCORE_SCHEMA
    assert len(table) == 600
    assert set(table["as_of_date"]) == {date(2024, 9, 27)}
    assert table["prediction"].corr(features.loc[features["as_of_date"] == date(2024, 9, 27),
                                                 "days_since_purchase"].reset_index(drop=True)) < -0.8  # fmt: skip
    again, _ = _run(features.sample(frac=1, random_state=1), labels.sample(frac=1, random_state=2))
    assert again.equals(fits)


@pytest.mark.parametrize("n", [0, 1, 3])
def test_too_little_data_gives_baselines_or_nothing(n: int) -> None:
    days = [date(2024, 1, 1), date(2024, 3, 31), date(2024, 6, 29)]
    features, labels = _small(n, days)
    fits, scores = _run(features, labels[labels["as_of_date"] != days[-1]])
    assert fits.schema == FIT_SCHEMA
    table = scores.to_pandas()
    assert len(table) == n
    assert table["prediction"].between(0, 1).all()
    assert table["status"].str.startswith("baseline").all()


def test_options_out_of_range_are_refused() -> None:
    features, labels = _small(1, [date(2024, 1, 1)])
    with pytest.raises(ValueError, match="refit is 'sometimes'; allowed: auto, always, never"):
        _run(features, labels, refit="sometimes")
    with pytest.raises(ValueError, match="prediction_max_rows is 5"):
        _run(features, labels, max_rows=5)
    assert len(_run(features, labels, refit="never")[0]) == 0
