"""Expected orders and value compared with what came, and p_alive against the truth."""

from datetime import date
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pytest

from crm_mining.evaluation.metric_table import METRIC_COLUMNS
from crm_mining.value.evaluation import evaluate_value, measure

DAY = date(2024, 6, 30)


def test_metrics_are_those_of_the_textbook() -> None:
    draw = np.random.default_rng(1)
    actual = draw.poisson(2.0, 400).astype("float64")
    expected = actual + draw.normal(0.5, 1.0, 400)
    found = measure(expected, actual, (draw.random(400) < 0.9).astype("float64")).set_index("metric")
    assert found.loc["mae", "value"] == pytest.approx(np.abs(expected - actual).mean())
    assert found.loc["rmse", "value"] == pytest.approx(np.sqrt(((expected - actual) ** 2).mean()))
    assert found.loc["correlation", "value"] == pytest.approx(np.corrcoef(expected, actual)[0, 1])
    assert found.loc["ratio_to_actual", "value"] == pytest.approx(expected.sum() / actual.sum())
    assert (found["interval_low"] < found["value"]).all()
    assert (found["value"] < found["interval_high"]).all()
    # The standard error of a mean of 400 is the standard deviation by 20.
    width = found.loc["mae", "interval_high"] - found.loc["mae", "interval_low"]
    assert width == pytest.approx(2 * 1.96 * np.abs(expected - actual).std() / 20, rel=0.25)


def test_what_is_not_defined_is_left_out() -> None:
    nothing_came = measure(np.full(10, 0.3), np.zeros(10))
    assert set(nothing_came["metric"]) == {"mae", "rmse"}
    assert set(measure(np.full(10, 0.1), np.arange(10.0))["metric"]) == {"mae", "rmse", "ratio_to_actual"}


@pytest.fixture
def truth(tmp_path: Path) -> dict[str, Path]:
    """Two hundred persons of two records each; every second one left, some of them later than the day."""
    records = [("shop.customers", f"{r}{i}", i) for i in range(200) for r in "ab"] + [("crm.contacts", "a1", 0)]
    pd.DataFrame(records, columns=["source_table", "source_key", "person_id"]).to_csv(tmp_path / "r.csv", index=False)
    left = ["" if i % 2 else "2024-06-30" if i % 4 else "2024-07-01" for i in range(200)]
    pd.DataFrame({"person_id": range(200), "dropped_out_on": left}).to_csv(tmp_path / "p.csv", index=False)
    return {"record_persons": tmp_path / "r.csv", "persons": tmp_path / "p.csv"}


def _evaluate(truth: dict[str, Path], *, wrongly_merged: int = 0) -> pd.DataFrame:
    i = np.arange(200)
    keys = {"customer_id": [f"C{n:03}" for n in i], "as_of_date": DAY}
    likely = np.where(i % 4 == 2, 0.2, 0.8)
    orders = {f"expected_orders_90{end}": value for end, value in (("", i / 100), ("_low", 0.0), ("_high", 1.0))}
    value = {f"expected_value_90{end}": v for end, v in (("", i / 10), ("_low", 0.0), ("_high", 200.0))}
    scores = pd.DataFrame({**keys, "p_alive": likely, **orders, **value})
    purchases = pd.DataFrame(
        {**keys, "n_repeat_orders": i % 3, "recency_days": i % 3 * 10, "age_days": 100, "mean_repeat_amount": 20.0}
    )
    outcomes = pd.DataFrame({**keys, "n_orders_90d": i % 3, "value_90d": 30.0 * (i % 3)})
    owner = [f"C{0 if n < wrongly_merged else n:03}" for n in i for _ in "ab"]
    keys_of_records = [f"{r}{n}" for n in i for r in "ab"]
    sources = pd.DataFrame({"source_table": "shop.customers", "source_key": keys_of_records, "customer_id": owner})
    with duckdb.connect() as con:
        relations = [
            con.from_df(frame).project("* replace (as_of_date::date as as_of_date)")
            for frame in (scores, purchases, outcomes)
        ]
        return evaluate_value(*relations, con.from_df(sources), **truth)


def test_baselines_go_on_as_before_and_coverage_counts(truth: dict[str, Path]) -> None:
    found = _evaluate(truth)
    assert list(found.columns) == list(METRIC_COLUMNS)
    assert set(found["split"]) == {"as_of_2024-06-30"}
    assert not found.duplicated(["model", "target", "split", "fold", "metric"]).any()
    of = found.set_index(["model", "target", "metric"])["value"]
    # Own rate: i % 3 orders in 100 days, so 0.9 times as many in 90; and of 20 instead of 30 each.
    assert of["baseline_own_rate", "n_orders_90d", "ratio_to_actual"] == pytest.approx(0.9)
    assert of["baseline_own_rate", "value_90d", "ratio_to_actual"] == pytest.approx(0.6)
    assert of["baseline_mean", "n_orders_90d", "ratio_to_actual"] == pytest.approx(0.9)
    assert of["customer_value", "n_orders_90d", "interval_coverage"] == pytest.approx((np.arange(200) % 3 < 2).mean())
    baseline = found.set_index(["model", "target", "metric"])["baseline"]
    assert baseline["customer_value", "n_orders_90d", "mae"] == of["baseline_own_rate", "n_orders_90d", "mae"]


def test_alive_is_who_leaves_later_or_never(truth: dict[str, Path]) -> None:
    alive = _evaluate(truth).query("target == 'is_alive'").set_index("metric")["value"]
    assert alive["roc_auc"] == 1.0
    assert alive["brier_score"] == pytest.approx(0.2**2)


def test_customers_who_are_several_persons_are_left_out(truth: dict[str, Path]) -> None:
    # C000 to C002 would be the customers of persons 0 to 2, of whom the last one left in time.
    right, wrong = (
        _evaluate(truth, wrongly_merged=n).query("target == 'is_alive'").set_index("metric") for n in (0, 3)
    )
    # The three are gone from the shares of the living: 150 of 200, 148 of 197.
    assert right.loc["brier_score", "baseline"] == pytest.approx(150 / 200 * 50 / 200)
    assert wrong.loc["brier_score", "baseline"] == pytest.approx(148 / 197 * 49 / 197)


def test_without_truth_only_what_came_is_judged(truth: dict[str, Path]) -> None:
    assert set(_evaluate({})["target"]) == {"n_orders_90d", "value_90d"}
