"""Candidates stop where they lie far behind on the same rows, and the tables say so."""

import numpy as np
import pandas as pd

from crm_mining.common.arrays import FloatArray
from crm_mining.prediction import storage
from crm_mining.prediction.models import LOG_ODDS, Candidate, Model, Training, term_table
from crm_mining.prediction.selection import fit_target
from crm_mining.prediction.stopping import far_behind
from crm_mining.prediction.task import Settings, Task

TASK = Task("y", "classification", ("x",), "customer_id")


def scores(n: int) -> tuple[FloatArray, FloatArray]:
    rng = np.random.default_rng(0)
    z = rng.normal(0, 2, n)
    return z, (rng.random(n) < 1 / (1 + np.exp(-z))).astype("float64")


def test_noise_stops_and_what_is_as_good_goes_on() -> None:
    z, y = scores(2000)
    noise = np.random.default_rng(1).normal(size=len(y))
    names = ["linear_svm", "random_forest", "gaussian_naive_bayes"]
    found = far_behind({"linear_svm": z, "random_forest": 3 * z, "gaussian_naive_bayes": noise}, y, TASK, names)
    assert list(found) == ["gaussian_naive_bayes"]
    assert "standard errors above that of" in found["gaussian_naive_bayes"]
    few = slice(0, 12)
    assert not far_behind({"linear_svm": z[few], "random_forest": noise[few]}, y[few], TASK, names[:2])


def test_published_candidates_and_the_parts_of_the_average_go_on() -> None:
    z, y = scores(2000)
    noise = np.random.default_rng(1).normal(size=len(y))
    all_scores = {"decision_tree": noise, "boosting": noise, "average": z}
    assert not far_behind(all_scores, y, TASK, list(all_scores))


def test_a_candidate_that_stopped_has_metrics_of_one_fold_and_a_reason() -> None:
    z, y = scores(1500)
    table = pd.DataFrame({"customer_id": np.arange(len(y)), "x": z, "y": y})

    def of(weight: float) -> Candidate:
        def fit(data: Training) -> Model:
            return Model("any", LOG_ODDS, 0.0, term_table(["x"], np.array([weight])))

        return fit

    fit = fit_target(
        table, TASK, holdout=table, candidates={"right": of(2.0), "wrong": of(-2.0)},
        settings=Settings(n_folds=3, n_resamples=20),
    )  # fmt: skip
    assert list(fit.stopped) == ["wrong"]
    assert "wrong" not in fit.models
    measured = fit.metrics[fit.metrics["model"] == "wrong"]
    assert set(zip(measured["split"], measured["fold"], strict=True)) == {("cross_validation", 1)}
    stored = storage.to_tables(fit)
    row = stored["model_fits"].set_index("model").loc["wrong"]
    assert row["status"].startswith("stopped after the first fold: its log loss is")
    assert storage.from_tables(stored, "y").stopped == fit.stopped
