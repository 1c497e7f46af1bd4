"""How much worse a model predicts when one feature is shuffled."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from crm_mining.evaluation.binary import roc_auc
from crm_mining.prediction import encoding, models
from crm_mining.prediction.encoding import Encoding
from crm_mining.prediction.models import Model
from crm_mining.prediction.task import Task

#: Features that are shuffled, those that move the scores most; rows that are looked at; shuffles of a feature.
MAX_FEATURES, MAX_ROWS, N_SHUFFLES = 20, 2000, 3


def permutation_importance(
    model: Model, encoded: Encoding, data: pd.DataFrame, task: Task, features: Sequence[str], seed: int
) -> pd.DataFrame:
    """Shuffle one feature at a time (Breiman 2001; Fisher, Rudin & Dominici 2019).

    Parameters
    ----------
    model : Model
        Whose predictions are looked at.
    encoded : Encoding
        Its terms.
    data : DataFrame
        Rows with known outcomes, at best such as the model was not fitted to.
    task : Task
        What is predicted.
    features : sequence of str
        In the order of the result.
    seed : int
        Of the draw of rows and of the shuffles.

    Returns
    -------
    DataFrame
        ``model, feature, permutation_importance``: ROC area lost, or root mean squared error gained, on average over
        the shuffles. Features that do not move the scores are left out.
    """
    rng = np.random.default_rng(seed)
    rows = np.sort(rng.choice(len(data), min(len(data), MAX_ROWS), replace=False))
    frame = data.iloc[rows].reset_index(drop=True)
    y = task.outcome(frame)
    seen = encoding.fix(encoded, frame)
    of_feature = seen.table.drop_duplicates("term").set_index("term")["feature"]
    owner = np.array([of_feature[term] for term in seen.place])

    def measure(known: Encoding) -> float:
        p = model.prediction(model.raw(known, frame))
        return roc_auc(y, p) if task.is_yes_no else -float(np.sqrt(np.mean((y - p) ** 2)))

    by_feature, names = models.contributions(model, seen, frame)
    strength = dict(zip(names, np.abs(by_feature).mean(axis=0) if len(frame) else by_feature.sum(axis=0), strict=True))
    ranked = sorted((f for f in features if strength.get(f, 0) > 0), key=lambda f: -strength[f])[:MAX_FEATURES]
    whole = measure(seen) if len(frame) > 1 else np.nan
    lost = []
    for feature in features:
        if feature not in ranked or len(frame) < 2:
            continue
        own = owner == feature
        drops = []
        for _ in range(N_SHUFFLES):
            values = seen.values.copy()
            values[:, own] = values[np.ix_(rng.permutation(len(frame)), own)]
            drops.append(whole - measure(replace(seen, values=values)))
        lost.append((model.name, feature, float(np.mean(drops))))
    return pd.DataFrame(lost, columns=["model", "feature", "permutation_importance"])
