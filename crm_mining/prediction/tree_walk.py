"""Scores of stored trees: rows go down from node to node, and what each feature moved on the way is added up."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from crm_mining.common.arrays import FloatArray, SingleArray
from crm_mining.prediction import encoding
from crm_mining.prediction.encoding import Encoding

NODE_COLUMNS = {
    "tree": "int64", "node": "int64", "feature": "str", "level": "str", "threshold": "float64",
    "is_missing_left": "bool", "left_node": "int64", "right_node": "int64", "value": "float64", "n_rows": "float64",
}  # fmt: skip
#: Rows that go down the trees at a time.
_WALK_ROWS = 2000


def walk(
    nodes: pd.DataFrame, encoded: Encoding, frame: pd.DataFrame, *, by_feature: Sequence[str] | None = None
) -> tuple[FloatArray, FloatArray]:
    """Send rows down the trees.

    Parameters
    ----------
    nodes : DataFrame
        Columns of :data:`NODE_COLUMNS`.
    encoded : Encoding
        Terms.
    frame : DataFrame
        Rows.
    by_feature : sequence of str, optional
        Features to attribute the sum to.

    Returns
    -------
    total, shares : arrays of shape (n,) and (n, n_features)
        Sum of the leaf values, and how much of it the splits on each feature moved (Saabas 2014): the change of the
        value from node to child. The root values make up the difference.
    """
    columns = encoded.terms(encoding.TREE)
    x = tree_values(encoded, columns, frame)
    column_of = {t: i for i, t in enumerate(columns["term"])}
    inner = nodes["left_node"].to_numpy() >= 0
    names = [
        f"{f} as it is" if pd.isna(v) else _level_term(f, v)
        for f, v in zip(nodes["feature"][inner], nodes["level"][inner], strict=True)
    ]
    column = np.zeros(len(nodes), dtype="int64")
    column[inner] = [column_of[name] for name in names]
    place = {f: i for i, f in enumerate(by_feature or [])}
    # Without a term no node splits; the roots still point at column 0.
    slots = [place.get(str(feature), 0) for feature in columns["feature"]] or [0]
    slot = np.array(slots, dtype="int64")[column]
    threshold, missing_left = nodes["threshold"].to_numpy(), nodes["is_missing_left"].to_numpy()
    left, right, value = (nodes[name].to_numpy() for name in ("left_node", "right_node", "value"))
    starts = np.flatnonzero(np.r_[True, np.diff(nodes["tree"].to_numpy()) != 0])
    total, shares = np.zeros(len(x)), np.zeros((len(x), len(place)))
    # All trees at once: each pair of a row and a tree goes one level down per round, until it stands in a leaf.
    first = np.repeat(starts, np.diff(np.append(starts, len(nodes))))
    next_left, next_right = first + left, first + right
    for begin in range(0, len(x), _WALK_ROWS):
        part = x[begin : begin + _WALK_ROWS]
        at = np.tile(starts, (len(part), 1))
        rows, trees = np.nonzero(inner[at])
        while len(rows):
            here = at[rows, trees]
            v = part[rows, column[here]]
            goes_left = np.where(np.isnan(v), missing_left[here], v <= threshold[here])
            there = np.where(goes_left, next_left[here], next_right[here])
            at[rows, trees] = there
            if by_feature is not None:
                np.add.at(shares, (begin + rows, slot[here]), value[there] - value[here])
            goes_on = inner[there]
            rows, trees = rows[goes_on], trees[goes_on]
        total[begin : begin + len(part)] = value[at].sum(axis=1)
    return total, shares


def tree_values(encoded: Encoding, columns: pd.DataFrame, frame: pd.DataFrame) -> SingleArray:
    """Numbers as they are and levels as 0/1, in single precision, shape (n, n_columns); missing is NaN."""
    x = encoded.matrix(frame, columns["term"].tolist())
    return x.astype("float32")


def _level_term(feature: str, level: str) -> str:
    return f"{feature} is {level}"
