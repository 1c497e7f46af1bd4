"""What a fit says in words and points: score-card, reasons, rules, evidence, terms."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import expit

from crm_mining.common.arrays import FloatArray, TextArray
from crm_mining.prediction import encoding, metrics, models
from crm_mining.prediction.encoding import Encoding
from crm_mining.prediction.selection import TargetFit

ANYTHING_ELSE = "(anything else)"
N_REASONS = 3
POINTS_COLUMNS = ("target", "feature", "term", "attribute", "points", "coefficient", "share_of_customers")
SCORE_COLUMNS = (
    "target", "model", "status", "prediction", "points", "reason_1", "reason_2", "reason_3",
)  # fmt: skip


def points_table(
    fit: TargetFit,
    *,
    base_points: float = 600.0,
    base_odds: float = 1.0,
    points_to_double: float = 20.0,
    labels: Mapping[str, str] | None = None,
) -> pd.DataFrame:
    """Publish the points of each attribute, as credit scorers do (Siddiqi 2006, *Credit Risk Scorecards*, ch. 6).

    Parameters
    ----------
    fit : TargetFit
        With the candidate ``scorecard``.
    base_points, base_odds, points_to_double : float
        Odds of ``base_odds`` to one for yes are worth ``base_points``; each doubling adds ``points_to_double``.
    labels : dict, optional
        Feature to plain words.

    Returns
    -------
    DataFrame
        ``target, feature, term, attribute, points, coefficient, share_of_customers``: one row per attribute and one
        "(anything else)" per feature, for values that training never saw. A customer's score is the sum of the whole
        points of one row per feature. Empty without a score-card (amounts, baseline only).
    """
    model = fit.models.get("scorecard")
    if model is None or model.terms.empty:
        return pd.DataFrame({name: [] for name in POINTS_COLUMNS})
    factor = points_to_double / np.log(2)
    table = models.with_features(model, fit.encoded)
    a, b = model.calibration
    n_features = table["feature"].nunique()
    # Intercept, calibration and base are shared out evenly, so that a score is nothing but a sum.
    share = (base_points - factor * np.log(base_odds) + factor * (a + b * model.intercept)) / n_features
    rows = []
    for feature, own in table.groupby("feature", sort=False):
        for term, w in zip(own["term"], own["coefficient"], strict=True):
            words = attribute_text(term, str(feature), labels)
            rows.append((fit.target, feature, term, words, round(share + factor * b * w), w, fit.encoded.typical[term]))
        rows.append((fit.target, feature, None, ANYTHING_ELSE, round(share), 0.0, 0.0))
    return pd.DataFrame(rows, columns=list(POINTS_COLUMNS)).astype({"points": "int64"})


def score(
    fit: TargetFit, frame: pd.DataFrame, *, labels: Mapping[str, str] | None = None, points: pd.DataFrame | None = None
) -> pd.DataFrame:
    """Score customers: prediction, points and the three strongest reasons.

    Parameters
    ----------
    fit : TargetFit
        Fitted target.
    frame : DataFrame
        Features, any index.
    labels : dict, optional
        Feature to plain words, such as ``{"recency_days": "days since the last purchase"}``.
    points : DataFrame, optional
        From :func:`points_table`; null points without it.

    Returns
    -------
    DataFrame
        ``target, model, status, prediction, points, reason_1, reason_2, reason_3`` in the order and with the index of
        ``frame``. A reason names an attribute and whether it raises or lowers the prediction against the average
        customer; null where fewer features have an effect. Linear models: coefficient times the term less its mean.
        Trees: what the splits on the feature moved (see :func:`crm_mining.prediction.tree_walk.walk`).
    """
    model = fit.models[fit.used]
    in_words = fit.encoded.table["family"].isin(encoding.BINNED)
    needed = in_words | fit.encoded.table["term"].isin(model.terms["term"]) | fit.encoded.table["family"].eq("raw")
    encoded = encoding.fix(Encoding(fit.encoded.table[needed], fit.encoded.typical), frame)
    by_feature, names = models.contributions(model, encoded, frame)
    found = pd.DataFrame(index=frame.index)
    found["target"], found["model"], found["status"] = fit.target, fit.used, fit.status
    found["prediction"] = model.prediction(model.raw(encoded, frame))
    found["points"] = _points(encoded, frame, points)
    # With falling calibration (never, by construction) directions would turn; with none nothing is a reason.
    silent = model.score in (models.LOG_ODDS, models.PROBABILITY) and model.calibration[1] == 0
    reasons = _reasons(by_feature * (0.0 if silent else 1.0), names, encoded, frame, labels)
    for i in range(N_REASONS):
        found[f"reason_{i + 1}"] = reasons[:, i]
    return found.astype({"points": "Int64"})


def model_terms(fit: TargetFit) -> pd.DataFrame:
    """List every model's coefficients, with intervals, and the importance of features.

    Returns
    -------
    DataFrame
        ``model, target, term, feature, family, coefficient, interval_low, interval_high, permutation_importance``: one
        row per model and term. The term ``(intercept)`` holds the constant, ``(calibration intercept)`` and
        ``(calibration slope)`` the line from raw log-odds to calibrated ones. Models of trees have a row per feature
        with a null coefficient. The importance is the feature's, and known of the model that is used alone.
    """
    tables = []
    for name, model in fit.models.items():
        constants = pd.DataFrame({
            "term": ["(intercept)", "(calibration intercept)", "(calibration slope)"],
            "coefficient": [model.intercept, *model.calibration],
        })  # fmt: skip
        own = models.with_features(model, fit.encoded)
        trees = pd.DataFrame({"feature": sorted(set(model.nodes["feature"].dropna()) - set(own["feature"]))})
        trees = trees.assign(term=trees["feature"], family="tree")
        tables.append(pd.concat([constants, own, trees], ignore_index=True).assign(model=name))
    found = pd.concat(tables, ignore_index=True).assign(target=fit.target)
    found = found.merge(fit.importance, on=["model", "feature"], how="left", sort=False)
    columns = [
        "model", "target", "term", "feature",
        "family", "coefficient", "interval_low", "interval_high", "permutation_importance",
    ]  # fmt: skip
    return found.reindex(columns=columns).astype(dict.fromkeys(columns[5:], "float64"))


def evidence_table(fit: TargetFit, *, labels: Mapping[str, str] | None = None) -> pd.DataFrame:
    """Tell what each attribute alone says of the outcome (naive Bayes, weight of evidence).

    Returns
    -------
    DataFrame
        ``target, feature, term, attribute, log_odds, interval_low, interval_high, share_of_customers``: one row per
        attribute, the log of the ratio of its shares among yes and among no. Empty without that candidate.
    """
    columns = [
        "target", "feature", "term", "attribute",
        "log_odds", "interval_low", "interval_high", "share_of_customers",
    ]  # fmt: skip
    model = fit.models.get("categorical_naive_bayes")
    if model is None:
        return pd.DataFrame({name: [] for name in columns})
    table = (
        models.with_features(model, fit.encoded).rename(columns={"coefficient": "log_odds"}).assign(target=fit.target)
    )
    words = [attribute_text(t, f, labels) for t, f in zip(table["term"], table["feature"], strict=True)]
    table = table.assign(attribute=words, share_of_customers=[fit.encoded.typical[t] for t in table["term"]])
    return table[columns]


def decision_rules(fit: TargetFit, *, labels: Mapping[str, str] | None = None) -> pd.DataFrame:
    """Write each leaf of the decision tree as a sentence.

    Returns
    -------
    DataFrame
        ``model, target, leaf, rule, n_customers, share_of_customers, rate, interval_low, interval_high``: one row per
        leaf, the highest rate first; the rate is calibrated, its interval Wilson's for that many customers. Empty
        without a decision tree.
    """
    columns = [
        "model", "target", "leaf", "rule",
        "n_customers", "share_of_customers", "rate", "interval_low", "interval_high",
    ]  # fmt: skip
    model = fit.models.get("decision_tree")
    if model is None or model.nodes.empty:
        return pd.DataFrame({name: [] for name in columns})
    nodes = model.nodes.set_index("node")
    total = float(nodes["n_rows"].iloc[0])
    rows = []
    stack: list[tuple[int, dict[tuple[str, str], str]]] = [(0, {})]
    while stack:
        at, path = stack.pop()
        node: Any = nodes.loc[at]
        if node["left_node"] < 0:
            rate = float(expit(model.calibration[0] + model.calibration[1] * node["value"]))
            sentence = " and ".join(path.values()) or "everyone"
            n = int(node["n_rows"])
            low, high = metrics.wilson(rate * n, n)
            rows.append((model.name, fit.target, at, sentence, n, n / total, rate, low, high))
            continue
        feature, level = str(node["feature"]), node["level"]
        words = (labels or {}).get(feature, feature)
        if pd.isna(level):
            or_missing = " or missing" if f"{feature} is missing" in fit.encoded.typical else ""
            left = f"{words} at most {node['threshold']:.6g}{or_missing if node['is_missing_left'] else ''}"
            right = f"{words} above {node['threshold']:.6g}{or_missing if not node['is_missing_left'] else ''}"
            # Deeper splits of a number narrow it, so the last bound on each side says it all.
            steps = (((feature, "<="), left), ((feature, ">"), right))
        else:
            steps = (((feature, f"not {level}"), f"{words} is not {level}"), ((feature, "is"), f"{words} is {level}"))
        for child, (place, text) in zip((node["left_node"], node["right_node"]), steps, strict=True):
            stack.append((int(child), {**path, place: text}))
    found = pd.DataFrame(rows, columns=columns)
    return found.sort_values(["rate", "leaf"], ascending=[False, True], ignore_index=True)


def attribute_text(term: str, feature: str, labels: Mapping[str, str] | None) -> str:
    """Put the label in the place of the feature's name, with which every term begins."""
    return (labels or {}).get(feature, feature) + term[len(feature) :]


def _points(encoded: Encoding, frame: pd.DataFrame, points: pd.DataFrame | None) -> pd.Series:
    if points is None or points.empty:
        return pd.Series(pd.NA, index=frame.index, dtype="Int64")
    found = np.zeros(len(frame))
    for _, own in points.groupby("feature", sort=False):
        known = own[own["term"].notna()]
        hits = encoded.matrix(frame, known["term"].tolist())
        else_points = float(own.loc[own["term"].isna(), "points"].iloc[0])
        found += hits @ (known["points"].to_numpy(dtype="float64") - else_points) + else_points
    return pd.Series(np.round(found).astype("int64"), index=frame.index, dtype="Int64")


def _reasons(
    by_feature: FloatArray, names: list[str], encoded: Encoding, frame: pd.DataFrame, labels: Mapping[str, str] | None
) -> TextArray:
    """Name the strongest features of each row, shape (n, N_REASONS); ties go to the earlier feature."""
    found = np.full((len(frame), N_REASONS), None, dtype=object)
    if not names:
        return found
    order = np.argsort(-np.abs(by_feature), axis=1, kind="stable")[:, :N_REASONS]
    terms = encoded.terms(encoding.BINNED)
    for column, feature in enumerate(names):
        rows, ranks = np.nonzero(order == column)
        effect = by_feature[rows, column]
        rows, ranks, effect = rows[effect != 0], ranks[effect != 0], effect[effect != 0]
        if not len(rows):
            continue
        own = terms.loc[terms["feature"] == feature, "term"].tolist()
        hits = encoded.matrix(frame, own)[rows]
        at = np.where(hits.any(axis=1), hits.argmax(axis=1), len(own)) if own else np.zeros(len(rows), dtype=int)
        texts = [*(attribute_text(t, feature, labels) for t in own), attribute_text(feature, feature, labels)]
        both = np.array([[f"{t}: lowers", f"{t}: raises"] for t in texts], dtype=object)
        found[rows, ranks] = both[at, (effect > 0).astype(int)]
    return found
