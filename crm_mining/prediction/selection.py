"""Choose among candidate models, calibrate them and judge the choice once.

Every candidate is cross-fitted: the terms, the penalty and the model of a fold are learned from its training rows
alone, and calibration from the out-of-fold scores. Candidates that lie far behind the best after the first fold are
fitted no further (:mod:`.stopping`). The champion is the simplest candidate whose out-of-fold loss (log
loss; squared error for amounts) is within one standard error of the best one's (Breiman et al. 1984), the standard
error being that of the difference between the two on the same rows. It is used where its 95 % interval lies clear of
the best baseline's (ROC area; root mean squared error for amounts), out of fold and again on the hold-out; otherwise
the baseline is used, and the status says so.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from crm_mining.common.arrays import FloatArray
from crm_mining.common.threads import one_thread
from crm_mining.prediction import candidates as all_candidates
from crm_mining.prediction import encoding, metrics
from crm_mining.prediction.baselines import Baselines, baseline_candidates
from crm_mining.prediction.cross_fit import (
    TOO_FEW,
    calibrate_all,
    cross_fit,
    fit_all,
    known_rows,
    predictions_of_holdout,
    predictions_out_of_fold,
    too_little,
)
from crm_mining.prediction.encoding import Encoding
from crm_mining.prediction.importance import permutation_importance
from crm_mining.prediction.models import Candidate, Model, Training
from crm_mining.prediction.task import CLASSIFICATION, Settings, Task

#: What the status of a fit can be, besides the reasons why there is nothing to learn (:mod:`.cross_fit`).
CHAMPION = "champion"
NOT_BETTER = "baseline: no candidate is clearly better"
NOT_CONFIRMED = "baseline: the hold-out does not confirm the champion"


@dataclass(frozen=True)
class TargetFit:
    """What was learned of one target.

    Parameters
    ----------
    target, kind : str
        Name, and ``classification`` or ``regression``.
    encoded : Encoding
        Terms.
    models : dict
        Name to fitted, calibrated model; candidates and baselines, from the simplest.
    champion, baseline, used : str
        The best candidate, the best baseline, and which of the two scores customers.
    status : str
        ``champion``, or why the baseline is used.
    predictions : DataFrame
        Columns of :data:`crm_mining.prediction.metrics.PREDICTION_COLUMNS`: out of fold, and of the hold-out.
    metrics : DataFrame
        Columns of :data:`crm_mining.evaluation.metric_table.METRIC_COLUMNS`.
    importance : DataFrame
        ``model, feature, permutation_importance``: how much ROC area is lost (RMSE gained) when the feature is
        shuffled; for the model that is used.
    stopped : dict
        Candidate to why it stopped after the first fold (:mod:`.stopping`); it has metrics, but no model.
    """

    target: str
    kind: str
    encoded: Encoding
    models: Mapping[str, Model]
    champion: str
    baseline: str
    used: str
    status: str
    predictions: pd.DataFrame = field(repr=False)
    metrics: pd.DataFrame = field(repr=False)
    importance: pd.DataFrame = field(repr=False)
    stopped: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class _Choice:
    """Which model scores customers, and why."""

    champion: str
    baseline: str
    status: str

    @property
    def used(self) -> str:
        return self.champion if self.status == CHAMPION else self.baseline


def fit_target(
    training: pd.DataFrame,
    task: Task,
    *,
    holdout: pd.DataFrame | None = None,
    baselines: Baselines | None = None,
    candidates: Mapping[str, Candidate] | None = None,
    settings: Settings | None = None,
) -> TargetFit:
    """Fit all candidates, choose one, calibrate, and judge on the hold-out.

    Parameters
    ----------
    training : DataFrame
        One row per customer (and as-of date): key, features, target (rows where it is null are left out). The order of
        the rows does not matter. With two or more as-of dates folds are rolling origins: each date but the first is
        predicted from those before it. Otherwise customers are dealt out to folds.
    task : Task
        What is predicted from what.
    holdout : DataFrame, optional
        The last closed window: same columns. It is looked at once, after everything is chosen.
    baselines : Baselines, optional
        Columns of the simple rules; by default the prior is the only one.
    candidates : mapping, optional
        Name to candidate, from the simplest; by default all of the kind.
    settings : Settings, optional
        Folds, sample, bootstrap draws and seed.

    Returns
    -------
    TargetFit

    Raises
    ------
    ValueError
        For missing columns, or a yes/no target that is neither 0 nor 1.
    """
    rules, chosen = baselines or Baselines(), settings or Settings()
    columns = list(dict.fromkeys([*task.features, *rules.columns]))
    _check_columns(training, task, columns)
    with one_thread():
        whole = _training(training, task, columns, chosen)
        learners, why_not = _learners(candidates, whole.y, task)
        by_rule = baseline_candidates(rules, task)
        scored = cross_fit(by_rule | learners, whole, task, columns, chosen)
        if learners and not scored.is_tested.any():
            learners, why_not = {}, TOO_FEW
            scored = replace(scored, scores={name: scored.scores[name] for name in by_rule})
        learners = {name: candidate for name, candidate in learners.items() if name not in scored.stopped}
        fitted = fit_all(by_rule | learners, whole, task)
        predicted, thresholds = scored.scores, dict.fromkeys(scored.scores, 0.5)
        if task.is_yes_no:
            fitted, predicted, thresholds = calibrate_all(fitted, scored, whole.y)
        tested = {name: predicted[name][scored.is_tested] for name in fitted}
        loss = {name: metrics.losses(whole.y[scored.is_tested], p, task.kind) for name, p in tested.items()}
        predictions = predictions_out_of_fold(predicted, thresholds, scored, whole)
        choice = _choose(loss, list(learners), list(by_rule), predictions, why_not, task, chosen)
        held = None
        if holdout is not None and len(holdout):
            held = known_rows(holdout, task, len(holdout), chosen.seed)
            ahead = predictions_of_holdout(fitted, whole.encoded, held, task)
            predictions = pd.concat([predictions, ahead], ignore_index=True)
            choice = _confirm(choice, ahead, task, chosen)
        judged = metrics.evaluate(
            predictions, target=task.target, kind=task.kind, baseline=choice.baseline,
            n_resamples=chosen.n_resamples, seed=chosen.seed,
        )  # fmt: skip
        unseen = whole.frame if held is None else held
        importance = permutation_importance(fitted[choice.used], whole.encoded, unseen, task, columns, chosen.seed)
    return TargetFit(
        task.target, task.kind, whole.encoded, fitted, choice.champion, choice.baseline, choice.used, choice.status,
        predictions, judged, importance, scored.stopped,
    )  # fmt: skip


def predict(fit: TargetFit, frame: pd.DataFrame, *, model: str | None = None) -> FloatArray:
    """Predict probabilities or amounts, shape (n,), by the model in use or a named one."""
    chosen = fit.models[model or fit.used]
    return chosen.prediction(chosen.raw(fit.encoded, frame))


def _check_columns(training: pd.DataFrame, task: Task, columns: list[str]) -> None:
    wanted = {task.target, task.key, *columns, *([task.as_of] if task.as_of else [])}
    lacking = sorted(wanted - set(training.columns))
    if lacking:
        raise ValueError(f"the training rows lack the columns {lacking}")


def _training(training: pd.DataFrame, task: Task, columns: list[str], settings: Settings) -> Training:
    """Prepare the rows and learn their terms."""
    data = known_rows(training, task, settings.max_rows, settings.seed)
    groups = pd.factorize(data[task.key], sort=True)[0].astype("int64")
    terms = encoding.learn(data, columns)
    return Training(data, task.outcome(data), terms, groups, settings.seed)


def _learners(
    candidates: Mapping[str, Candidate] | None, y: FloatArray, task: Task
) -> tuple[dict[str, Candidate], str]:
    """List the candidates that can be fitted to these outcomes; none of them, and why, where there is too little."""
    why_not = too_little(y, task)
    if why_not:
        return {}, why_not
    known = candidates or (all_candidates.CLASSIFIERS if task.is_yes_no else all_candidates.REGRESSORS)
    is_signed = bool(y.min() < 0 or y.sum() <= 0)
    return {name: fit for name, fit in known.items() if not (name == "poisson_regression" and is_signed)}, ""


def _choose(
    loss: Mapping[str, FloatArray],
    learners: list[str],
    rules: list[str],
    predictions: pd.DataFrame,
    why_not: str,
    task: Task,
    settings: Settings,
) -> _Choice:
    """Take the simplest of the best candidates, if it is clearly better than the best rule."""
    is_measured = not why_not and len(loss[rules[0]]) > 0
    # Where there is too little to learn from, it is too little to choose among rules as well.
    baseline = min(rules, key=lambda name: loss[name].mean()) if is_measured else rules[0]
    champion = _simplest(learners, loss) if learners else baseline
    if why_not:
        return _Choice(champion, baseline, why_not)
    is_clear = _is_clear(predictions, champion, baseline, task.kind, settings)
    return _Choice(champion, baseline, CHAMPION if is_clear else NOT_BETTER)


def _confirm(choice: _Choice, ahead: pd.DataFrame, task: Task, settings: Settings) -> _Choice:
    """Let the hold-out withdraw a champion; it can't make one."""
    if choice.status != CHAMPION or _is_clear(ahead, choice.champion, choice.baseline, task.kind, settings):
        return choice
    return replace(choice, status=NOT_CONFIRMED)


def _simplest(names: Sequence[str], loss: Mapping[str, FloatArray]) -> str:
    """Return the first in the order of simplicity that is within one standard error of the best."""
    best = min(names, key=lambda name: loss[name].mean())
    for name in names:
        more = loss[name] - loss[best]
        if more.mean() <= more.std(ddof=1) / np.sqrt(len(more)):
            return name
    return best


def _is_clear(predictions: pd.DataFrame, champion: str, baseline: str, kind: str, settings: Settings) -> bool:
    """Tell whether the 95 % intervals of champion and baseline lie apart, the champion's on the better side."""
    metric = "roc_auc" if kind == CLASSIFICATION else "rmse"
    both = predictions[predictions["model"].isin((champion, baseline))]
    found = metrics.of_models(both, kind, settings.n_resamples or Settings.n_resamples, settings.seed)
    ends = {name: measured[metric][1:] for name, measured in found.items()}
    if kind == CLASSIFICATION:
        return bool(ends[champion][0] > ends[baseline][1])
    return bool(ends[champion][1] < ends[baseline][0])
