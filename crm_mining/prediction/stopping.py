"""Candidates that stop after the first fold, because they cannot become the champion any more.

A race in the sense of Maron & Moore 1994, *Hoeffding races*, with the paired differences of Moore & Lee 1994: all
candidates score the same rows, and one whose mean loss lies many standard errors of the paired difference behind the
best one's is fitted no further. What was measured until then is reported, and the status says why it ends there.
"""

from collections.abc import Mapping

import numpy as np

from crm_mining.common.arrays import FloatArray
from crm_mining.prediction import calibration, metrics
from crm_mining.prediction.task import Task

#: Standard errors of the paired difference; by chance alone one candidate in thirty thousand is so far behind.
FAR = 4.0
#: Candidates that go on whatever they lose: they are published in words (score-card, evidence, rules, terms), and cost
#: little.
PUBLISHED = ("logistic_regression", "scorecard", "categorical_naive_bayes", "decision_tree", "linear_regression")
#: What a candidate is made of goes on with it.
PARTS = {"average": ("logistic_regression", "boosting")}


def far_behind(scores: Mapping[str, FloatArray], y: FloatArray, task: Task, names: list[str]) -> dict[str, str]:
    """Tell which candidates stop, and why.

    Parameters
    ----------
    scores : mapping
        Name to log-odds or amounts of rows that the models have not seen, shape (n,).
    y : array of shape (n,)
        Outcomes.
    task : Task
        What is predicted.
    names : list of str
        The candidates among them; baselines never stop.

    Returns
    -------
    dict
        Candidate to the reason in words. Log-odds are calibrated first, each on these same rows.
    """
    if len(names) < 2 or len(y) < 2:
        return {}
    loss = {name: metrics.losses(y, _calibrated(name, scores[name], y, task), task.kind) for name in names}
    best = min(names, key=lambda name: loss[name].mean())
    found = {}
    for name in names:
        more = loss[name] - loss[best]
        error = float(more.std(ddof=1) / np.sqrt(len(more)))
        if name not in PUBLISHED and more.mean() > FAR * error > 0:
            found[name] = (
                f"stopped after the first fold: its {task.loss_name} is {more.mean() / error:.1f} standard errors "
                f"above that of {best}"
            )
    kept = {part for name, parts in PARTS.items() if name in names and name not in found for part in parts}
    return {name: reason for name, reason in found.items() if name not in kept}


def _calibrated(name: str, score: FloatArray, y: FloatArray, task: Task) -> FloatArray:
    if not task.is_yes_no:
        return score
    a, b = calibration.calibrate(name, score, y)
    return np.asarray(1 / (1 + np.exp(-(a + b * score))))
