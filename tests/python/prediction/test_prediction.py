"""Predictive models: an honest choice, stored forms equal to scikit-learn, odd inputs, and the Telco churn data."""

import os
from dataclasses import replace
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, brier_score_loss, roc_auc_score

from crm_mining.evaluation.binary import roc_auc
from crm_mining.evaluation.metric_table import METRIC_COLUMNS
from crm_mining.prediction import (
    calibration,
    candidates,
    encoding,
    linear,
    metrics,
    models,
    scorecard,
    selection,
    storage,
    tree_walk,
    trees,
)
from crm_mining.prediction.baselines import Baselines
from crm_mining.prediction.cross_fit import ONE_CLASS, TOO_FEW
from crm_mining.prediction.folds import fold_ids
from crm_mining.prediction.selection import TargetFit, fit_target
from crm_mining.prediction.task import Settings, Task

PROJECT = Path(__file__).resolve().parents[3]
REFERENCE_DATA = Path(os.environ.get("CRM_REFERENCE_DATA") or PROJECT.parent / "shared" / "data")
TELCO = REFERENCE_DATA / "telco_churn" / "Telco-Customer-Churn.csv"
FEATURES = ["recency", "frequency", "money", "channel", "age"]
QUICK = {name: candidates.CLASSIFIERS[name] for name in ("logistic_regression", "scorecard", "decision_tree")}
RULES = Baselines(last_period="bought_before", recency="recency", frequency="frequency", monetary="money")


def customers(n: int = 1500, *, seed: int = 0) -> pd.DataFrame:
    """Simulate customers whose purchase and spend depend on what they did, with gaps and rare levels."""
    rng = np.random.default_rng(seed)
    table = pd.DataFrame(
        {
            "customer_id": rng.permutation(n),
            "recency": rng.exponential(60, n).round(),
            "frequency": rng.poisson(2, n),
            "money": rng.lognormal(4, 1.2, n).round(2),
            "channel": rng.choice(["web", "store", "phone", "fax"], n, p=[0.5, 0.3, 0.198, 0.002]),
            "age": np.where(rng.random(n) < 0.2, np.nan, rng.normal(45, 12, n).round()),
            "bought_before": rng.random(n) < 0.3,
        }
    )
    web = (table["channel"] == "web").to_numpy()
    s = 0.8 - 0.02 * table["recency"] + 0.5 * np.log(table["money"] / 50) + 0.6 * web
    table["bought"] = (rng.random(n) < 1 / (1 + np.exp(-s))).astype(int)
    table["spend"] = np.where(table["bought"] == 1, table["money"] * rng.lognormal(0, 0.4, n), 0.0)
    table["spend_before"] = table["money"] * table["bought_before"]
    return table


def fitted(table: pd.DataFrame, target: str = "bought", **options: object) -> TargetFit:
    """Fit a target; options are those of the task, the settings and :func:`fit_target`."""
    own = {name: options.pop(name) for name in ("kind", "features", "as_of") if name in options}
    task = replace(Task(target, "classification", tuple(FEATURES), "customer_id"), **own)  # type: ignore[arg-type]
    chosen = {name: options.pop(name) for name in ("n_folds", "max_rows", "n_resamples") if name in options}
    settings = replace(Settings(n_folds=3, n_resamples=50, seed=1), **chosen)  # type: ignore[arg-type]
    return fit_target(table, task, settings=settings, **options)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    return customers()


@pytest.fixture(scope="module")
def fit(table: pd.DataFrame) -> TargetFit:
    return fitted(table, holdout=customers(seed=9), baselines=RULES)


@pytest.fixture(scope="module")
def training(table: pd.DataFrame) -> models.Training:
    y = table["bought"].to_numpy(dtype="float64")
    return models.Training(table, y, encoding.learn(table, FEATURES), np.arange(len(table)), 1)


def test_a_champion_beats_the_baselines_and_is_calibrated(fit: TargetFit) -> None:
    assert (fit.status, fit.used) == (selection.CHAMPION, fit.champion)
    held = fit.metrics[(fit.metrics["split"] == "holdout") & (fit.metrics["model"] == fit.champion)]
    by_name = held.set_index("metric")
    assert list(fit.metrics.columns) == list(METRIC_COLUMNS)
    assert set(by_name.index) == set(metrics.CLASSIFICATION_METRICS)
    assert 0.8 < by_name.loc["calibration_slope", "value"] < 1.2
    assert by_name.loc["roc_auc", "value"] > by_name.loc["roc_auc", "baseline"]
    assert (by_name["interval_low"] <= by_name["value"]).all()
    assert (by_name["value"] <= by_name["interval_high"]).all()


def test_measures_equal_scikit_learn(fit: TargetFit) -> None:
    held = fit.predictions[(fit.predictions["split"] == "holdout") & (fit.predictions["model"] == "boosting")]
    y, p = held["actual"].to_numpy(), held["prediction"].round(2).to_numpy()
    found = metrics.intervals(y, p, np.arange(len(y)), kind="classification", n_resamples=0, seed=0)
    assert found["roc_auc"][0] == pytest.approx(roc_auc_score(y, p))
    assert found["average_precision"][0] == pytest.approx(average_precision_score(y, p))
    assert found["brier_score"][0] == pytest.approx(brier_score_loss(y, p))
    line = LogisticRegression(C=np.inf).fit(np.log(p / (1 - p)).reshape(-1, 1), y)
    assert found["calibration_slope"][0] == pytest.approx(line.coef_[0, 0], rel=1e-3)


def test_sql_scores_a_linear_model_as_scikit_learn_does(fit: TargetFit, training: models.Training) -> None:
    table = training.frame
    terms, x = training.matrix(encoding.LINEAR)
    model = fit.models["logistic_regression"]
    by_sklearn = LogisticRegression()
    by_sklearn.classes_, by_sklearn.n_features_in_ = np.array([0, 1]), len(terms)
    by_sklearn.coef_, by_sklearn.intercept_ = model.terms[["coefficient"]].to_numpy().T, np.array([model.intercept])
    expected = by_sklearn.predict_proba(x)[:, 1]
    published = scorecard.model_terms(fit)
    published = published[published["model"] == "logistic_regression"]
    stored = storage.to_tables(fit)["term_segments"]
    raw, probability = storage.score_from_terms(published, stored, table)
    assert np.abs(1 / (1 + np.exp(-raw)) - expected).max() < 1e-9
    numbers = table.melt("customer_id", ["recency", "frequency", "money", "age"], "feature", "x").astype({"x": float})
    with duckdb.connect() as con:
        con.register("texts", table[["customer_id", "channel"]])
        con.register("numbers", numbers)
        con.register("terms", published)
        con.register("segments", stored)
        in_sql = con.execute("""
            with long as (
                select customer_id, feature, if(isnan(x), null, x) as x, null::varchar as t, true as is_number
                from numbers
                union all
                select customer_id, 'channel', null, channel, false from texts
            ),
            summed as (
                select customer_id, sum(coefficient * case kind when 'segment'
                    then pow(start + slope * (x - coalesce(if(isnan(lower), null, lower), 0)), power) else 1 end) as s
                from long
                join segments using (feature)
                join terms using (term)
                where case kind
                    when 'segment' then x >= coalesce(if(isnan(lower), null, lower), '-inf'::double)
                        and x < coalesce(if(isnan(upper), null, upper), 'inf'::double)
                    when 'level' then t = level
                    when 'missing' then x is null and t is null
                    else t is not null and t not in (select level from segments as known
                        where known.feature = long.feature and known.kind = 'level') end
                group by customer_id
            )
            select s + (select coefficient from terms where term = '(intercept)') from summed order by customer_id
        """).fetchnumpy()
    by_sql = next(iter(in_sql.values()))
    assert np.abs(by_sql - raw[np.argsort(table["customer_id"].to_numpy())]).max() < 1e-9
    assert np.abs(probability - selection.predict(fit, table, model="logistic_regression")).max() < 1e-9


def test_stored_coefficients_are_those_scikit_learn_finds(training: models.Training) -> None:
    terms, x = training.matrix(encoding.LINEAR)
    model = linear.logistic_regression(training)
    near = [
        LogisticRegression(C=c, solver="newton-cholesky", max_iter=200, tol=1e-12).fit(x, training.y)
        for c in linear.LOGISTIC_C
    ]
    raw = model.raw(training.encoded, training.frame)
    assert min(np.abs(1 / (1 + np.exp(-raw)) - m.predict_proba(x)[:, 1]).max() for m in near) < 1e-9
    assert list(model.terms["term"]) == list(terms["term"])


def test_stored_trees_score_as_scikit_learn_does(training: models.Training) -> None:
    terms = training.encoded.terms(encoding.TREE)
    x = tree_walk.tree_values(training.encoded, terms, training.frame)
    chosen = trees._boosting_settings(training, learning_rate=0.1, patience=10)
    boosted = HistGradientBoostingClassifier(**chosen).fit(x, training.y)
    stored = trees.boosting(training).raw(training.encoded, training.frame)
    assert np.abs(stored - boosted.decision_function(x)).max() < 1e-9
    forest = RandomForestClassifier(
        100, max_leaf_nodes=64, max_depth=12, min_samples_leaf=5, max_samples=len(x) // 3, random_state=1
    ).fit(x, training.y)
    stored = trees.random_forest(training).raw(training.encoded, training.frame)
    assert np.abs(stored - forest.predict_proba(x)[:, 1]).max() < 1e-9


def test_a_stored_fit_scores_as_the_fit_itself(fit: TargetFit, table: pd.DataFrame) -> None:
    shuffled = {name: t.sample(frac=1, random_state=3) for name, t in storage.to_tables(fit).items()}
    with duckdb.connect() as con:  # through a database and back
        for name, stored in shuffled.items():
            con.register("stored", stored)
            con.execute(f"create table {name} as from stored")
        back = storage.from_tables({name: con.table(name).df() for name in shuffled}, "bought")
    assert (back.used, back.champion, back.status) == (fit.used, fit.champion, fit.status)
    for name in fit.models:
        assert (selection.predict(back, table, model=name) == selection.predict(fit, table, model=name)).all(), name
    points = scorecard.points_table(fit)
    pd.testing.assert_frame_equal(
        scorecard.score(back, table, points=points), scorecard.score(fit, table, points=points)
    )


def test_the_order_of_rows_and_a_second_run_change_nothing(table: pd.DataFrame) -> None:
    first = fitted(table.head(500), n_folds=2, n_resamples=25)
    again = fitted(table.head(500).sample(frac=1, random_state=5), n_folds=2, n_resamples=25)
    assert first.champion == again.champion
    pd.testing.assert_frame_equal(first.metrics, again.metrics, check_exact=True)
    for name, stored in storage.to_tables(first).items():
        pd.testing.assert_frame_equal(stored, storage.to_tables(again)[name], check_exact=True)


def test_points_rules_evidence_and_reasons_can_be_read(fit: TargetFit, table: pd.DataFrame) -> None:
    labels = {"recency": "days since the last purchase"}
    points = scorecard.points_table(fit, labels=labels)
    scores = scorecard.score(fit, table, points=points, labels=labels)
    assert tuple(points.columns) == scorecard.POINTS_COLUMNS
    assert tuple(scores.columns) == scorecard.SCORE_COLUMNS
    p = selection.predict(fit, table, model="scorecard")
    exact = 600 + 20 / np.log(2) * np.log(p / (1 - p))
    assert np.abs(scores["points"].to_numpy(dtype="float64") - exact).max() <= len(FEATURES) / 2 + 1e-9
    assert scores["reason_1"].str.endswith((": raises", ": lowers")).all()
    assert scores["reason_1"].str.startswith("days since the last purchase").any()
    rules = scorecard.decision_rules(fit, labels=labels)
    assert rules["n_customers"].sum() == len(table)
    assert rules["rate"].is_monotonic_decreasing
    assert rules["share_of_customers"].sum() == pytest.approx(1)
    evidence = scorecard.evidence_table(fit).set_index("term")
    assert evidence.loc["channel is web", "log_odds"] > 0 > evidence.loc["channel is store", "log_odds"]
    terms = scorecard.model_terms(fit)
    assert not terms.duplicated(["model", "target", "term"]).any()
    assert terms.loc[terms["model"] == fit.used, "permutation_importance"].max() > 0.02


def test_deciles_bins_and_confusion_hold_every_customer(fit: TargetFit) -> None:
    n = len(fit.predictions) / fit.predictions["model"].nunique()
    for found in (
        metrics.score_deciles(fit.predictions, target="bought"),
        metrics.calibration_bins(fit.predictions, target="bought"),
        metrics.confusion_matrices(fit.predictions, target="bought"),
    ):
        assert (found.groupby("model")["n_customers"].sum() == n).all()
    assert metrics.assign_deciles(np.array([0.1, 0.9, 0.5]), ["a", "b", "c"]).tolist() == [3, 1, 2]


def test_calibration_is_drawn_to_no_change_until_many_rows_speak() -> None:
    rng = np.random.default_rng(6)
    log_odds = rng.normal(-1, 1.5, 40_000)
    y = (rng.random(40_000) < 1 / (1 + np.exp(-(0.5 + 0.5 * log_odds)))).astype("float64")
    few, many = (calibration.calibrate("boosting", log_odds[:n], y[:n]) for n in (60, 40_000))
    assert few[1] > calibration.platt(log_odds[:60], y[:60])[1] + 0.3
    assert many == pytest.approx((0.5, 0.5), abs=0.05)
    # A margin is no probability: nothing to be shrunk towards.
    assert calibration.calibrate("linear_svm", log_odds[:60], y[:60]) == calibration.platt(log_odds[:60], y[:60])
    assert calibration.calibrate("boosting", -log_odds, y)[1] == 0.0


def test_shuffled_labels_score_chance_and_leave_the_baseline(table: pd.DataFrame) -> None:
    shuffled = table.assign(bought=np.random.default_rng(4).permutation(table["bought"].to_numpy()))
    slow = ("linear_svm", "random_forest", "average")
    found = fitted(
        shuffled, holdout=table.assign(bought=shuffled["bought"].sample(frac=1, random_state=1).to_numpy()),
        candidates={name: fit for name, fit in candidates.CLASSIFIERS.items() if name not in slow},
    )  # fmt: skip
    assert found.status == selection.NOT_BETTER
    assert found.used == "prior"
    area = found.metrics[(found.metrics["metric"] == "roc_auc") & (found.metrics["split"] == "holdout")]
    champion = area[area["model"] == found.champion].iloc[0]
    # 99.9 % instead of 95 %: one right model in twenty would fail.
    half = 1.7 * (champion["interval_high"] - champion["interval_low"]) / 2
    assert champion["value"] - half <= 0.5 <= champion["value"] + half


def answers(n: int, *, seed: int) -> pd.DataFrame:
    """Simulate a bank's telephone campaign, whose answers depend on interactions of the features."""
    rng = np.random.default_rng(seed)
    table = pd.DataFrame(
        {
            "customer_id": np.arange(n),
            "age": rng.normal(41, 10, n).round(),
            "balance": rng.lognormal(6, 1.4, n).round(),
            "seconds": rng.exponential(250, n).round(),
            "n_calls": rng.geometric(0.35, n),
            "days_since_call": np.where(rng.random(n) < 0.8, np.nan, rng.integers(1, 400, n)),
            "job": rng.choice(["office", "worker", "technician", "services", "retired", "student"], n),
            "month": rng.choice(list("abcdefghijkl"), n),
            "contact": rng.choice(["mobile", "telephone", "unknown"], n, p=[0.65, 0.1, 0.25]),
            "has_mortgage": rng.random(n) < 0.55,
        }
    )
    s = -3.4 + 0.006 * np.minimum(table["seconds"], 900) - 0.12 * table["n_calls"]
    s += 1.6 * ((table["age"] < 28) | (table["age"] > 62))
    s += 2.2 * (table["month"].isin(["c", "j", "l"]) & (table["contact"] == "mobile"))
    s += 2.6 * ((table["days_since_call"] < 120) & (table["seconds"] > 180))
    s -= 1.8 * (table["has_mortgage"] & (table["seconds"] < 400))
    s -= 2.4 * (table["job"].isin(["worker", "services"]) & (table["balance"] < 400) & (table["seconds"] > 300))
    return table.assign(answers=(rng.random(n) < 1 / (1 + np.exp(-s))).astype(int))


def test_boosting_is_chosen_where_it_wins() -> None:
    table = answers(5000, seed=3)
    names = ("logistic_regression", "scorecard", "decision_tree", "random_forest", "boosting")
    found = fitted(
        table, "answers", features=[c for c in table if c not in ("customer_id", "answers")], n_resamples=25,
        candidates={name: candidates.CLASSIFIERS[name] for name in names},
    )  # fmt: skip
    area = found.metrics.query("metric == 'roc_auc' and fold == -1").set_index("model")["value"]
    assert area["boosting"] > area["logistic_regression"] + 0.02
    assert found.champion == found.used == "boosting"


def test_rolling_origins_never_train_on_a_later_date() -> None:
    table = pd.concat([customers(400, seed=k).assign(as_of=f"2024-0{k}-01") for k in range(1, 5)])
    seen: list[tuple[int, str]] = []

    def spy(data: models.Training) -> models.Model:
        seen.append((len(data.y), str(data.frame["as_of"].max())))
        return linear.logistic_regression(data)

    found = fitted(table, as_of="as_of", candidates={"spy": spy})
    assert seen == [(400, "2024-01-01"), (800, "2024-02-01"), (1200, "2024-03-01"), (1600, "2024-04-01")]
    assert sorted(found.predictions["fold"].unique()) == [1, 2, 3]


def test_amounts_are_predicted_better_than_by_last_periods(table: pd.DataFrame) -> None:
    rules = Baselines("spend_before", "recency", "frequency", "money")
    found = fitted(table, "spend", kind="regression", baselines=rules, holdout=customers(seed=9))
    held = found.metrics[found.metrics["split"] == "holdout"].set_index(["model", "metric"])["value"]
    assert set(found.metrics["metric"]) == set(metrics.REGRESSION_METRICS)
    assert held[found.champion, "r2"] > held[found.baseline, "r2"]
    exactly = np.clip(table["spend_before"], *table["spend_before"].quantile([0.005, 0.995]))
    assert selection.predict(found, table, model="last_period") == pytest.approx(exactly.to_numpy(), abs=1e-6)
    assert (selection.predict(found, table, model="boosting") >= 0).all()
    back = storage.from_tables(storage.to_tables(found), "spend")
    assert (selection.predict(back, table) == selection.predict(found, table)).all()


def test_a_large_table_is_sampled_with_the_same_share_of_yes(table: pd.DataFrame) -> None:
    found = fitted(table, max_rows=500, candidates=QUICK)
    cv = found.predictions[found.predictions["model"] == "prior"]
    assert len(cv) == 500
    assert cv["actual"].mean() == pytest.approx(table["bought"].mean(), abs=0.01)


ODD_COLUMN = st.sampled_from(
    ["constant", "null", "infinite", "huge", "text", "missing words", "boolean", "decimal-like"]
)


def odd(kind: str, n: int, rng: np.random.Generator) -> pd.Series:
    if kind == "constant":
        return pd.Series(np.ones(n))
    if kind == "null":
        return pd.Series([None] * n, dtype="object")
    if kind == "infinite":
        return pd.Series(rng.choice([np.inf, -np.inf, np.nan, 1.0, 2.0], n))
    if kind == "huge":
        return pd.Series(rng.choice([-1e300, 1e300, 1e-300, 0.0], n))
    if kind == "text":
        return pd.Series([f"level {i}" for i in rng.integers(0, n, n)])
    if kind == "missing words":
        return pd.Series(rng.choice(["missing", "another", "", "(missing)x", "null"], n)).where(rng.random(n) < 0.7)
    if kind == "boolean":
        return pd.Series(rng.random(n) < 0.5).astype("boolean").where(rng.random(n) < 0.9)
    return pd.Series(rng.integers(0, 3, n)).astype("Int64").where(rng.random(n) < 0.9)


@settings(deadline=None, max_examples=15, derandomize=True)
@given(
    st.lists(ODD_COLUMN, min_size=1, max_size=4),
    st.sampled_from([0, 1, 7, 60, 150]),
    st.floats(0, 1),
    st.integers(0, 9),
)
def test_odd_inputs_give_probabilities_and_a_status(kinds: list[str], n: int, rate: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    table = pd.DataFrame({f"f{i}": odd(kind, n, rng) for i, kind in enumerate(kinds)})
    table["bought"], table["customer_id"] = (rng.random(n) < rate).astype(int), range(n)
    features = [f"f{i}" for i in range(len(kinds))]
    found = fitted(table, features=features, candidates=QUICK, n_resamples=25)
    other = pd.DataFrame({f"f{i}": odd(kind, 20, rng) for i, kind in enumerate(kinds)})
    for name in found.models:
        p = selection.predict(found, other, model=name)
        assert ((p >= 0) & (p <= 1)).all()
        assert found.models[name].calibration[1] >= 0
    scores = scorecard.score(found, other, points=scorecard.points_table(found))
    assert len(scores) == 20
    if n and table["bought"].nunique() == 1:
        assert (found.status, found.used) == (ONE_CLASS, "prior")
    elif n < 50:
        assert (found.status, found.used) == (TOO_FEW, "prior")


def test_a_tree_without_a_feature_to_split_on_is_its_root() -> None:
    table = customers(150).assign(recency=1.0)
    found = fitted(table, features=("recency",), candidates={"decision_tree": candidates.CLASSIFIERS["decision_tree"]})
    assert selection.predict(found, table, model="decision_tree").std() == 0.0


def test_what_cannot_be_is_refused(table: pd.DataFrame) -> None:
    with pytest.raises(ValueError, match="kind is 'ranking'"):
        fitted(table, kind="ranking")
    with pytest.raises(ValueError, match="lack the columns"):
        fitted(table, features=["nothing"])
    with pytest.raises(ValueError, match="must be 0 or 1"):
        fitted(table, "frequency")
    with pytest.raises(ValueError, match="is a date"):
        fitted(table.assign(age=pd.Timestamp("2024-01-01")))


@pytest.mark.skipif(not TELCO.is_file(), reason=f"no reference data: {TELCO} (set CRM_REFERENCE_DATA)")
def test_telco_churn_reaches_the_published_figures() -> None:
    """Nested: in each of five folds all is chosen, fitted and calibrated on the other four."""
    table = pd.read_csv(TELCO)
    table["TotalCharges"] = pd.to_numeric(table["TotalCharges"], errors="coerce")
    table["churned"] = (table["Churn"] == "Yes").astype(int)
    features = [c for c in table.columns if c not in ("customerID", "Churn", "churned")]
    fold = fold_ids(table["churned"].to_numpy(dtype="float64"), np.arange(len(table)), 5, 0)
    p = np.zeros(len(table))
    for k in range(5):
        found = fit_target(
            table[fold != k], Task("churned", "classification", tuple(features), "customerID"),
            settings=Settings(n_folds=2, n_resamples=0, seed=k),
        )  # fmt: skip
        assert found.status == selection.CHAMPION
        p[fold == k] = selection.predict(found, table[fold == k])
    y = table["churned"].to_numpy(dtype="float64")
    every = metrics.intervals(y, p, np.arange(len(y)), kind="classification", n_resamples=0, seed=0)
    areas = [roc_auc(y[fold == k], p[fold == k]) for k in range(5)]
    print({name: round(value[0], 4) for name, value in every.items()}, round(float(np.mean(areas)), 4))
    assert min(every["roc_auc"][0], np.mean(areas)) >= 0.849
    assert every["average_precision"][0] >= 0.665
    assert every["brier_score"][0] <= 0.134
    assert 0.8 <= every["calibration_slope"][0] <= 1.2
