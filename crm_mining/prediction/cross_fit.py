"""Cross-fitting: every row is scored by a model that has not seen it.

The terms, the penalty and the model of a fold are learned from its training rows alone, and the calibration of a fold
from the scores of the other folds.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from crm_mining.common.arrays import BoolArray, FloatArray, IntArray
from crm_mining.evaluation.thresholds import choose_threshold
from crm_mining.prediction import calibration, encoding, models
from crm_mining.prediction.baselines import BASELINE_NAMES, PRIOR
from crm_mining.prediction.encoding import Encoding
from crm_mining.prediction.folds import fold_ids
from crm_mining.prediction.models import Candidate, Model, Training
from crm_mining.prediction.stopping import far_behind
from crm_mining.prediction.task import Settings, Task

#: Why there is nothing to learn.
ONE_CLASS = "baseline: one outcome only"
TOO_FEW = "baseline: too few rows"
MIN_ROWS, MIN_CLASS = 50, 15
SPLIT_CV, SPLIT_HOLDOUT = "cross_validation", "holdout"
#: Row numbers of a fold: those trained on, those scored.
Fold = tuple[IntArray, IntArray]


@dataclass(frozen=True)
class CrossFit:
    """Scores of rows by models that have not seen them.

    Parameters
    ----------
    folds : list of Fold
        The folds.
    scores : dict
        Candidate to array of shape (n,): log-odds or amounts, 0 where a row was not scored.
    is_tested : array of shape (n,)
        Which rows were scored.
    is_first : array of shape (n,)
        Which of them by the first fold: those that a candidate scored that stopped there.
    stopped : dict
        Candidate to why it stopped after the first fold (:mod:`.stopping`).
    """

    folds: list[Fold]
    scores: dict[str, FloatArray]
    is_tested: BoolArray
    is_first: BoolArray
    stopped: dict[str, str]

    def scored_by(self, name: str) -> BoolArray:
        """Tell which rows a candidate scored, shape (n,)."""
        return self.is_first if name in self.stopped else self.is_tested


def known_rows(frame: pd.DataFrame, task: Task, max_rows: int, seed: int) -> pd.DataFrame:
    """Sort by key, leave out unknown outcomes, and draw a sample with the same share of each outcome and date.

    Returns
    -------
    DataFrame
        At most ``max_rows`` rows, numbered from 0; the same whatever the order of the input.
    """
    known = frame[frame[task.target].notna()]
    keys = [task.key, *([task.as_of] if task.as_of else [])]
    data = known.sort_values(keys, kind="stable", ignore_index=True)
    if len(data) <= max_rows:
        return data
    y = task.outcome(data)
    stratum = y if task.is_yes_no else (pd.Series(y).rank(pct=True) * 10).round().to_numpy()
    dates = pd.factorize(data[task.as_of], sort=True)[0] if task.as_of else np.zeros(len(data))
    shuffled = np.random.default_rng(seed).permutation(len(data))
    order = shuffled[np.lexsort((stratum[shuffled], dates[shuffled]))]
    # Evenly spaced places in an order sorted by stratum take the same share of each.
    picked = order[np.linspace(0, len(order) - 1, max_rows).round().astype(int)]
    return data.iloc[np.sort(picked)].reset_index(drop=True)


def too_little(y: FloatArray, task: Task) -> str:
    """Say why these outcomes are too little to learn from; empty where they are enough."""
    if len(y) and len(np.unique(y)) < 2:
        return ONE_CLASS
    if len(y) < MIN_ROWS or (task.is_yes_no and min(y.sum(), (1 - y).sum()) < MIN_CLASS):
        return TOO_FEW
    return ""


def cross_fit(
    offered: Mapping[str, Candidate], whole: Training, task: Task, columns: list[str], settings: Settings
) -> CrossFit:
    """Score each test fold by models of its training rows.

    Parameters
    ----------
    offered : mapping
        Name to candidate, baselines among them.
    whole : Training
        All rows.
    task : Task
        What is predicted.
    columns : list of str
        Columns that terms are learned from: features, and what the baselines use.
    settings : Settings
        Number of folds and seed.

    Returns
    -------
    CrossFit
        A fold with too little to learn from, or nothing to score, is left out.
    """
    y, folds = whole.y, _folds(whole, task, settings)
    learners = [name for name in offered if name not in BASELINE_NAMES]
    scores = {name: np.zeros(len(y)) for name in offered}
    is_tested, is_first = np.zeros(len(y), dtype=bool), np.zeros(len(y), dtype=bool)
    stopped: dict[str, str] = {}
    for train, test in folds:
        if not len(test) or not len(train) or (learners and too_little(y[train], task)):
            continue
        going_on = {name: candidate for name, candidate in offered.items() if name not in stopped}
        for name, score in _scores_of_fold(going_on, whole, train, test, task, columns, settings).items():
            scores[name][test] = score
        if not is_tested.any():
            is_first[test] = True
            stopped = far_behind({name: scores[name][test] for name in learners}, y[test], task, learners)
        is_tested[test] = True
    return CrossFit(folds, scores, is_tested, is_first, stopped)


def _scores_of_fold(
    offered: Mapping[str, Candidate],
    whole: Training,
    train: IntArray,
    test: IntArray,
    task: Task,
    columns: list[str],
    settings: Settings,
) -> dict[str, FloatArray]:
    """Score the test rows of a fold, by models of its training rows: log-odds or amounts, shape (n_test,)."""
    rows, ahead = whole.frame.iloc[train].reset_index(drop=True), whole.frame.iloc[test]
    part = Training(rows, whole.y[train], encoding.learn(rows, columns), whole.groups[train], settings.seed)
    seen = encoding.fix(part.encoded, ahead)
    found = {}
    for name, model in fit_all(offered, part, task).items():
        raw = model.raw(seen, ahead)
        is_odds = model.score in (models.LOG_ODDS, models.PROBABILITY)
        found[name] = model.log_odds(raw) if is_odds else model.prediction(raw)
    return found


def _folds(whole: Training, task: Task, settings: Settings) -> list[Fold]:
    """Make rolling origins of two or more as-of dates, otherwise deal customers out; too few of them give none."""
    if task.as_of is not None and whole.frame[task.as_of].nunique() > 1:
        date = pd.factorize(whole.frame[task.as_of], sort=True)[0]
        return [(np.flatnonzero(date < k), np.flatnonzero(date == k)) for k in range(1, int(date.max()) + 1)]
    if len(np.unique(whole.groups)) < settings.n_folds:
        return []
    fold = fold_ids(whole.y, whole.groups, settings.n_folds, settings.seed)
    return [(np.flatnonzero(fold != k), np.flatnonzero(fold == k)) for k in range(settings.n_folds)]


def fit_all(offered: Mapping[str, Candidate], data: Training, task: Task) -> dict[str, Model]:
    """Fit the candidates; those beside the baselines see the features alone."""
    own = data.encoded.table["feature"].isin(task.features)
    seen = replace(data, encoded=replace(data.encoded, table=data.encoded.table[own]), fitted={}, _cache={})
    for name, candidate in offered.items():
        seen.fitted[name] = candidate(data if name in BASELINE_NAMES else seen)
    return seen.fitted


def calibrate_all(
    fitted: Mapping[str, Model], scored: CrossFit, y: FloatArray
) -> tuple[dict[str, Model], dict[str, FloatArray], dict[str, float]]:
    """Calibrate yes/no models on the scores of rows that they have not seen.

    Parameters
    ----------
    fitted : mapping
        Name to model, fitted to all rows; those that stopped have none.
    scored : CrossFit
        Scores of the same names, and of those that stopped.
    y : array of shape (n,)
        Outcomes, 0 or 1.

    Returns
    -------
    models, probabilities, thresholds : dict, dict, dict
        The models with calibration and threshold; for each name the probability of each row, shape (n,), those of a
        fold calibrated on the other folds, where there are others; and the probability that counts as yes.
    """
    calibrated, probabilities, thresholds = dict(fitted), {}, dict.fromkeys(scored.scores, 0.5)
    for name, z in scored.scores.items():
        is_tested = scored.scored_by(name)
        if not is_tested.any():
            if name != PRIOR:
                calibrated[name] = replace(fitted[name], calibration=calibration.platt(np.zeros(0), y))
            probabilities[name] = z
            continue
        line = _line(name, z[is_tested], y[is_tested])
        p = np.zeros(len(y))
        for _, test in scored.folds:
            others = is_tested.copy()
            others[test] = False
            a, b = _line(name, z[others], y[others]) if others.any() else line
            p[test] = 1 / (1 + np.exp(-(a + b * z[test])))
        probabilities[name] = p
        of_tested = 1 / (1 + np.exp(-(line[0] + line[1] * z[is_tested])))
        thresholds[name] = choose_threshold(of_tested)
        if name in fitted:
            calibrated[name] = replace(fitted[name], calibration=line, threshold=thresholds[name])
    return calibrated, probabilities, thresholds


def _line(name: str, log_odds: FloatArray, y: FloatArray) -> tuple[float, float]:
    """Calibrate; the prior is a probability already."""
    return (0.0, 1.0) if name == PRIOR else calibration.calibrate(name, log_odds, y)


def predictions_out_of_fold(
    predicted: Mapping[str, FloatArray], thresholds: Mapping[str, float], scored: CrossFit, whole: Training
) -> pd.DataFrame:
    """Give a table of :data:`crm_mining.prediction.metrics.PREDICTION_COLUMNS`, one row per model and scored row."""
    fold = np.zeros(len(whole.y), dtype="int64")
    for k, (_, test) in enumerate(scored.folds, start=1):
        fold[test] = k
    rows = {name: np.flatnonzero(scored.scored_by(name)) for name in predicted}
    return pd.concat(
        [
            pd.DataFrame({
                "model": name, "split": SPLIT_CV, "fold": fold[row], "row": row, "group": whole.groups[row],
                "actual": whole.y[row], "prediction": predicted[name][row], "threshold": thresholds[name],
            })
            for name, row in rows.items()
        ],
        ignore_index=True,
    )  # fmt: skip


def predictions_of_holdout(
    fitted: Mapping[str, Model], encoded: Encoding, held: pd.DataFrame, task: Task
) -> pd.DataFrame:
    """Give the same table for the hold-out, as fold 0."""
    y, groups = task.outcome(held), pd.factorize(held[task.key], sort=True)[0]
    seen = encoding.fix(encoded, held)
    return pd.concat(
        [
            pd.DataFrame({
                "model": name, "split": SPLIT_HOLDOUT, "fold": 0, "row": np.arange(len(held)), "group": groups,
                "actual": y, "prediction": model.prediction(model.raw(seen, held)), "threshold": model.threshold,
            })
            for name, model in fitted.items()
        ],
        ignore_index=True,
    )  # fmt: skip
