"""How much worse a model predicts when one feature is shuffled."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from crm_mining.common.arrays import FloatArray, IntArray
from crm_mining.evaluation.binary import roc_auc
from crm_mining.prediction import encoding, models
from crm_mining.prediction.encoding import Encoding, FixedEncoding
from crm_mining.prediction.models import Model, empty_table
from crm_mining.prediction.task import Task
from crm_mining.prediction.tree_walk import NODE_COLUMNS, walk

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
    by_feature, names = models.contributions(model, seen, frame)
    strength = dict(zip(names, np.abs(by_feature).mean(axis=0) if len(frame) else by_feature.sum(axis=0), strict=True))
    ranked = sorted((f for f in features if strength.get(f, 0) > 0), key=lambda f: -strength[f])[:MAX_FEATURES]
    if len(frame) < 2 or not ranked:
        return pd.DataFrame(columns=["model", "feature", "permutation_importance"])

    def measure(raw: FloatArray) -> float:
        p = model.prediction(raw)
        return roc_auc(y, p) if task.is_yes_no else -float(np.sqrt(np.mean((y - p) ** 2)))

    shuffle = _shuffled_scores(model, seen, frame)
    whole = measure(model.raw(seen, frame))
    lost = [
        (
            model.name,
            feature,
            float(np.mean([whole - measure(shuffle(feature, rng.permutation(len(frame)))) for _ in range(N_SHUFFLES)])),
        )
        for feature in features
        if feature in ranked
    ]
    return pd.DataFrame(lost, columns=["model", "feature", "permutation_importance"])


def _shuffled_scores(model: Model, seen: FixedEncoding, frame: pd.DataFrame) -> Callable[[str, IntArray], FloatArray]:
    """Give a function from a feature and an order of the rows to the raw scores, shape (n,).

    In the linear part only what the feature adds is exchanged; the trees are walked again where they split on it.
    """
    linear = replace(model, nodes=empty_table(NODE_COLUMNS))
    moved, names = models.contributions(linear, seen, frame)
    sums = linear.raw(seen, frame)
    is_of_trees = seen.table["family"].isin(encoding.TREE)
    split = encoding.fix(Encoding(seen.table[is_of_trees], {}), frame) if len(model.nodes) else seen
    of_feature = split.table.drop_duplicates("term").set_index("term")["feature"]
    owner = np.array([of_feature[term] for term in split.place])
    grown = walk(model.nodes, split, frame)[0] if len(model.nodes) else np.zeros(len(frame))
    known: dict[str, tuple[pd.DataFrame, FloatArray]] = {}

    def shuffle(feature: str, order: IntArray) -> FloatArray:
        own = moved[:, names.index(feature)] if feature in names else np.zeros(len(frame))
        score = sums + grown + own[order] - own
        if feature not in known:
            of_trees = model.nodes.loc[model.nodes["feature"] == feature, "tree"]
            nodes = model.nodes[model.nodes["tree"].isin(of_trees)]
            known[feature] = nodes, walk(nodes, split, frame)[0] if len(nodes) else np.zeros(len(frame))
        nodes, before = known[feature]
        if not len(nodes):
            return np.asarray(score)
        values, columns = split.values.copy(order="F"), owner == feature
        values[:, columns] = values[np.ix_(order, columns)]
        return np.asarray(score + walk(nodes, replace(split, values=values), frame)[0] - before)

    return shuffle
