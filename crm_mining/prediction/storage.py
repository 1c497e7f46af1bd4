"""Fits as tables, and scores from those tables alone.

How SQL scores a linear model of target t: for each customer and feature find the fitting row of ``term_segments``
(rules in :mod:`crm_mining.prediction.encoding`), multiply its value by the ``coefficient`` of the same term in
``model_terms``, sum, and add the row ``(intercept)``. That is the log-odds ``s``; the probability is
``1 / (1 + exp(-(a + b * s)))`` with the rows ``(calibration intercept)`` and ``(calibration slope)``.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from crm_mining.common.arrays import FloatArray
from crm_mining.evaluation.metric_table import METRIC_COLUMNS
from crm_mining.prediction.encoding import COLUMNS, Encoding
from crm_mining.prediction.metrics import PREDICTION_COLUMNS
from crm_mining.prediction.models import TERM_COLUMNS, Model
from crm_mining.prediction.selection import TargetFit
from crm_mining.prediction.tree_walk import NODE_COLUMNS

SEGMENT_COLUMNS = ["target", "position", *COLUMNS, "typical"]


def to_tables(fit: TargetFit) -> dict[str, pd.DataFrame]:
    """Turn a fit into tables of plain columns.

    Returns
    -------
    dict
        - ``model_fits`` [target x model]: ``target, kind, model, position, score, intercept, calibration_intercept,
          calibration_slope, lower_bound, upper_bound, threshold, is_champion, is_baseline, is_used, status``; of a
          candidate that stopped after the first fold the status says why, and the numbers are null
        - ``term_segments`` [target x row]: ``target, position`` and the columns of ``encoding.COLUMNS``, ``typical``
        - ``term_coefficients`` [target x model x term]: ``target, model, position`` and those of ``TERM_COLUMNS``
        - ``tree_nodes`` [target x model x tree x node]: ``target, model`` and those of ``NODE_COLUMNS``
    """
    fits = pd.DataFrame(
        [
            (fit.target, fit.kind, name, i, m.score, m.intercept, *m.calibration, *m.bounds, m.threshold,
             name == fit.champion, name == fit.baseline, name == fit.used, fit.status)
            for i, (name, m) in enumerate(fit.models.items())
        ] + [
            (fit.target, fit.kind, name, len(fit.models) + i, None, *([np.nan] * 6), False, False, False, why)
            for i, (name, why) in enumerate(fit.stopped.items())
        ],
        columns=["target", "kind", "model", "position", "score", "intercept", "calibration_intercept",
                 "calibration_slope", "lower_bound", "upper_bound", "threshold", "is_champion", "is_baseline",
                 "is_used", "status"],
    )  # fmt: skip
    segments = fit.encoded.table.assign(target=fit.target, position=np.arange(len(fit.encoded.table)))
    segments["typical"] = segments["term"].map(dict(fit.encoded.typical)).astype("float64")
    return {
        "model_fits": fits,
        "term_segments": segments[SEGMENT_COLUMNS],
        "term_coefficients": pd.concat(
            [
                m.terms.assign(target=fit.target, model=n, position=np.arange(len(m.terms)))
                for n, m in fit.models.items()
            ],
            ignore_index=True,
        )[["target", "model", "position", *TERM_COLUMNS]],
        "tree_nodes": pd.concat(
            [m.nodes.assign(target=fit.target, model=n) for n, m in fit.models.items()], ignore_index=True
        )[["target", "model", *NODE_COLUMNS]],
    }


def from_tables(tables: Mapping[str, pd.DataFrame], target: str) -> TargetFit:
    """Build a fit from its tables, in whatever order the rows come; predictions and metrics are left empty.

    Raises
    ------
    ValueError
        When the tables hold no fit of the target.
    """
    own = {name: table[table["target"] == target] for name, table in tables.items()}
    fits = own["model_fits"].sort_values("position")
    if fits.empty:
        raise ValueError(f"no stored fit of the target {target!r}")
    segments = own["term_segments"].sort_values("position", ignore_index=True)
    typical = segments.dropna(subset=["typical"]).drop_duplicates("term")
    encoded = Encoding(
        segments[list(COLUMNS)].astype(COLUMNS), dict(zip(typical["term"], typical["typical"], strict=True))
    )
    found: dict[str, Model] = {}
    for row in fits[fits["score"].notna()].to_dict("records"):
        name = str(row["model"])
        terms, nodes = (own[t][own[t]["model"] == name] for t in ("term_coefficients", "tree_nodes"))
        found[name] = Model(
            name, str(row["score"]), float(row["intercept"]),
            terms.sort_values("position", ignore_index=True)[list(TERM_COLUMNS)].astype(TERM_COLUMNS),
            nodes.sort_values(["tree", "node"], ignore_index=True)[list(NODE_COLUMNS)].astype(NODE_COLUMNS),
            (float(row["calibration_intercept"]), float(row["calibration_slope"])),
            (float(row["lower_bound"]), float(row["upper_bound"])), float(row["threshold"]),
        )  # fmt: skip

    stopped = fits[fits["score"].isna()]

    def which(flag: str) -> str:
        return str(fits.loc[fits[flag].astype(bool), "model"].iloc[0])

    return TargetFit(
        target, str(fits["kind"].iloc[0]), encoded, found, which("is_champion"), which("is_baseline"),
        which("is_used"), str(fits["status"].iloc[0]), pd.DataFrame(columns=list(PREDICTION_COLUMNS)),
        pd.DataFrame(columns=list(METRIC_COLUMNS)),
        pd.DataFrame(columns=["model", "feature", "permutation_importance"]),
        dict(zip(stopped["model"].astype(str), stopped["status"].astype(str), strict=True)),
    )  # fmt: skip


def score_from_terms(terms: pd.DataFrame, segments: pd.DataFrame, frame: pd.DataFrame) -> tuple[FloatArray, FloatArray]:
    """Score a linear model from its published terms, as SQL does.

    Parameters
    ----------
    terms : DataFrame
        ``term, coefficient`` of one model and target, from :func:`crm_mining.prediction.scorecard.model_terms`.
    segments : DataFrame
        ``term_segments`` of the target.
    frame : DataFrame
        Features.

    Returns
    -------
    raw, probability : arrays of shape (n,)
        Log-odds before calibration, and the calibrated probability.
    """
    weights = dict(zip(terms["term"], terms["coefficient"].astype("float64"), strict=True))
    intercept, a, b = (weights.pop(name) for name in ("(intercept)", "(calibration intercept)", "(calibration slope)"))
    encoded = Encoding(segments.sort_values("position", ignore_index=True)[list(COLUMNS)].astype(COLUMNS), {})
    raw = intercept + encoded.matrix(frame, list(weights)) @ np.array(list(weights.values()))
    return raw, 1 / (1 + np.exp(-(a + b * raw)))
