"""Fits and scores of all targets, from relations to tables: what the dbt models call.

A fit of a target belongs to the day on which the last of its outcome windows closed; it knows nothing later, and
scores every as-of date from that day on until there is a later fit. The last closed window is the hold-out, the ones
before it are what is learned from.
"""

import json
from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from math import isfinite
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa

from crm_mining.common.progress import Progress
from crm_mining.common.refits import check_refit
from crm_mining.common.seeds import SEED
from crm_mining.common.threads import one_thread
from crm_mining.prediction import metrics, scorecard, storage
from crm_mining.prediction.baselines import Baselines
from crm_mining.prediction.encoding import as_numbers
from crm_mining.prediction.models import TERM_COLUMNS
from crm_mining.prediction.selection import TargetFit, fit_target
from crm_mining.prediction.task import CLASSIFICATION, Settings, Task
from crm_mining.prediction.tree_walk import NODE_COLUMNS

WINDOW_DAYS = 90
KEYS = ["customer_id", "as_of_date"]
#: One row per row of what a fit leaves (see :func:`_leave`); ``row`` is the JSON object of its columns.
FIT_SCHEMA = pa.schema(
    [
        ("fitted_as_of_date", pa.date32()), ("target", pa.string()), ("part", pa.string()), ("position", pa.int64()),
        ("row", pa.string()),
    ]
)  # fmt: skip
SCORE_SCHEMA = pa.schema(
    [
        ("customer_id", pa.string()), ("as_of_date", pa.date32()), ("target", pa.string()), ("kind", pa.string()),
        ("prediction", pa.float64()), ("points", pa.int64()), ("reason_1", pa.string()), ("reason_2", pa.string()),
        ("reason_3", pa.string()), ("model", pa.string()), ("status", pa.string()),
        ("fitted_as_of_date", pa.date32()),
    ]
)  # fmt: skip


def fit_from_tables(
    features: duckdb.DuckDBPyRelation,
    labels: duckdb.DuckDBPyRelation,
    targets: duckdb.DuckDBPyRelation,
    words: duckdb.DuckDBPyRelation,
    stored: duckdb.DuckDBPyRelation | None = None,
    *,
    refit: str = "auto",
    max_rows: int | str = 20_000,
) -> pa.Table:
    """Fit every target to the closed outcome windows.

    Parameters
    ----------
    features : relation
        ``customer_id, as_of_date`` and features.
    labels : relation
        ``customer_id, as_of_date`` and a column for each target, null where it does not apply; closed windows alone.
    targets : relation
        ``target, kind, last_period``: the feature that tells how the same outcome was in the period before.
    words : relation
        ``feature, label``: the features to learn from, and what they are called.
    stored : relation, optional
        ``fitted_as_of_date`` of the fits that exist.
    refit : str
        ``auto``, ``always`` or ``never``.
    max_rows : int
        Above this many rows of a target a sample is taken: of each as-of date the first customers by ``customer_id``,
        which is a hash and so as good as random, and of these the same share of each outcome.

    Returns
    -------
    Table
        Columns of :data:`FIT_SCHEMA`, one row per row of what the fits leave; none when there was nothing to fit.

    Raises
    ------
    ValueError
        When ``refit`` or ``max_rows`` is out of range.
    """
    check_refit(refit)
    n_max = int(max_rows)
    if n_max < 100:
        raise ValueError(f"prediction_max_rows is {max_rows}; allowed: 100 or more")
    days = sorted(day for (day,) in labels.project("as_of_date").distinct().fetchall())
    known = {day for (day,) in stored.fetchall()} if stored is not None and refit == "auto" else set()
    if not days or refit == "never" or days[-1] + timedelta(WINDOW_DAYS) in known:
        return FIT_SCHEMA.empty_table()
    asked, labelled = targets.order("target").df(), _labels(words)
    columns = [name for name in features.columns if name in labelled]
    progress, tables = Progress("targets fitted", len(asked)), []
    for done, target in enumerate(asked.to_dict("records"), start=1):
        rows = _rows(features, labels, str(target["target"]), days, n_max)
        is_holdout = rows["as_of_date"] == pd.Timestamp(days[-1])
        has_holdout = len(days) > 1
        last_period = target["last_period"]
        task = Task(str(target["target"]), str(target["kind"]), tuple(columns), "customer_id", "as_of_date")
        fit = fit_target(
            rows[~is_holdout] if has_holdout else rows, task, holdout=rows[is_holdout] if has_holdout else None,
            baselines=Baselines(
                None if pd.isna(last_period) else str(last_period), "days_since_purchase", "n_orders", "order_amount"
            ),
            settings=Settings(max_rows=n_max, seed=SEED),
        )  # fmt: skip
        tables += [_stored(part, rows_of_part, fit.target) for part, rows_of_part in _leave(fit, labelled).items()]
        progress.update(done)
    day = days[-1] + timedelta(WINDOW_DAYS)
    found = pd.concat(tables, ignore_index=True).assign(fitted_as_of_date=day)
    return pa.Table.from_pandas(found, schema=FIT_SCHEMA, preserve_index=False)


def score_from_tables(
    features: duckdb.DuckDBPyRelation,
    fits: duckdb.DuckDBPyRelation,
    targets: duckdb.DuckDBPyRelation,
    words: duckdb.DuckDBPyRelation,
    *,
    batch_size: int = 20_000,
) -> pa.RecordBatchReader:
    """Score customers from the stored fits, batch by batch.

    Parameters
    ----------
    features : relation
        As for :func:`fit_from_tables`.
    fits : relation
        What that function returned. The last fit on or before the as-of date is used; dates before the first fit have
        no scores.
    targets : relation
        ``target, population``: the feature that must be above 0 (or true) for the target to apply, null for everybody.
    words : relation
        ``feature, label``.
    batch_size : int
        Customers scored at a time; memory holds one batch.

    Returns
    -------
    RecordBatchReader
        Columns of :data:`SCORE_SCHEMA`.
    """
    days = sorted(day for (day,) in fits.project("fitted_as_of_date").distinct().fetchall())
    known = {day: _restore(fits, day) for day in days}
    labels, of_target = _labels(words), targets.order("target").df().set_index("target")["population"].to_dict()
    first = days[0] if days else date.max
    is_covered = duckdb.ColumnExpression("as_of_date") >= duckdb.ConstantExpression(first)
    wanted = features.filter(is_covered)
    total = wanted.aggregate("count(*)").fetchall()[0][0]
    dates = sorted(day for (day,) in wanted.project("as_of_date").distinct().fetchall())

    def batches() -> Iterator[pa.RecordBatch]:
        progress, done = Progress("customers scored", total), 0
        for day in dates:
            # Date by date: which rows share a batch can change a last digit, and must not depend on later dates.
            is_of_day = duckdb.ColumnExpression("as_of_date") == duckdb.ConstantExpression(day)
            fitted = max(known_day for known_day in days if known_day <= day)
            for batch in wanted.filter(is_of_day).order("customer_id").to_arrow_reader(batch_size):
                own = batch.to_pandas()
                for target, (fit, points) in known[fitted].items():
                    population = of_target.get(target)
                    is_in = np.ones(len(own), bool) if pd.isna(population) else as_numbers(own[str(population)]) > 0
                    if not is_in.any():
                        continue
                    rows = own[is_in].reset_index(drop=True)
                    with one_thread():
                        scores = scorecard.score(fit, rows, labels=labels, points=points)
                    scores = (
                        rows[["customer_id"]]
                        .join(scores)
                        .assign(as_of_date=day, kind=fit.kind, fitted_as_of_date=fitted)
                    )
                    yield pa.RecordBatch.from_pandas(scores, schema=SCORE_SCHEMA, preserve_index=False)
                done += len(own)
                progress.update(done)

    return pa.RecordBatchReader.from_batches(SCORE_SCHEMA, batches() if total else iter(()))


def _labels(words: duckdb.DuckDBPyRelation) -> dict[str, str]:
    return {str(feature): str(label) for feature, label in words.project("feature, label").fetchall()}


def _rows(
    features: duckdb.DuckDBPyRelation, labels: duckdb.DuckDBPyRelation, target: str, days: list[date], max_rows: int
) -> pd.DataFrame:
    """Join features to the known outcomes of a target, of at most ``max_rows`` customers a date."""
    outcome = labels.filter(f"{target} is not null").project(f"customer_id, as_of_date, {target}::double as {target}")
    parts = []
    for day in days:
        is_of_day = duckdb.ColumnExpression("as_of_date") == duckdb.ConstantExpression(day)
        chosen = outcome.filter(is_of_day).order("customer_id").limit(max_rows)
        joined = features.filter(is_of_day).set_alias("features").join(chosen.set_alias("chosen"), ", ".join(KEYS))
        parts.append(joined.df())
    return pd.concat(parts, ignore_index=True).sort_values(KEYS, ignore_index=True)


def _leave(fit: TargetFit, labels: Mapping[str, str]) -> dict[str, pd.DataFrame]:
    """List what is kept of a fit, part by part; trees only of the model that scores."""
    tables = storage.to_tables(fit)
    nodes = tables["tree_nodes"]
    found = {
        "fit": tables["model_fits"],
        "term": scorecard.model_terms(fit),
        "segment": tables["term_segments"],
        "node": nodes[nodes["model"] == fit.used],
        "point": scorecard.points_table(fit, labels=labels),
        "evidence": scorecard.evidence_table(fit, labels=labels),
        "rule": scorecard.decision_rules(fit, labels=labels),
        "metric": fit.metrics[fit.metrics["value"].notna()],
    }
    if fit.kind == CLASSIFICATION:
        found["decile"] = metrics.score_deciles(fit.predictions, target=fit.target)
        found["bin"] = metrics.calibration_bins(fit.predictions, target=fit.target)
        found["confusion"] = metrics.confusion_matrices(fit.predictions, target=fit.target)
    return found


def _stored(part: str, table: pd.DataFrame, target: str) -> pd.DataFrame:
    """Write each row as JSON, numbers to the last digit; what is not finite is null."""
    names = [name for name in table.columns if name != "target"]
    cells = [[f"{json.dumps(name)}: {text}" for text in _texts(table[name])] for name in names]
    rows = ["{" + ", ".join(row) + "}" for row in zip(*cells, strict=True)]
    return pd.DataFrame({"target": target, "part": part, "position": range(len(rows)), "row": rows})


def _texts(column: pd.Series) -> list[str]:
    """Write each value as JSON; a text that is there often is written once."""
    values = column.tolist()
    if column.dtype == np.float64:
        return [repr(value) if isfinite(value) else "null" for value in values]
    if column.dtype == np.int64:
        return [str(value) for value in values]
    if column.dtype == np.bool_:
        return ["true" if value else "false" for value in values]
    if not isinstance(column.dtype, pd.StringDtype):
        return [json.dumps(_plain(value)) for value in values]
    known = {value: json.dumps(_plain(value)) for value in column.unique()}
    return ["null" if is_null else known[value] for value, is_null in zip(values, column.isna(), strict=True)]


def _plain(value: Any) -> Any:
    if value is None or value is pd.NA:
        return None
    if isinstance(value, bool | np.bool_):
        return bool(value)
    if isinstance(value, int | np.integer):
        return int(value)
    if isinstance(value, float | np.floating):
        return float(value) if np.isfinite(value) else None
    return str(value)


def _restore(fits: duckdb.DuckDBPyRelation, day: date) -> dict[str, tuple[TargetFit, pd.DataFrame]]:
    """Read the fits of a day back: target to fit and score-card."""
    is_of_day = duckdb.ColumnExpression("fitted_as_of_date") == duckdb.ConstantExpression(day)
    own = fits.filter(is_of_day).filter("part in ('fit', 'term', 'segment', 'node', 'point')")
    rows = own.project('target, part, position, "row"').order("target, part, position").fetchall()
    found: dict[str, dict[str, list[dict[str, Any]]]] = {}
    for target, part, position, row in rows:
        found.setdefault(target, {}).setdefault(part, []).append(
            {**json.loads(row), "target": target, "position": position}
        )
    restored = {}
    for target, parts in found.items():
        terms = pd.DataFrame(parts["term"], columns=["target", "model", "position", "family", *TERM_COLUMNS])
        tables = {
            "model_fits": pd.DataFrame(parts["fit"]).fillna({"lower_bound": -np.inf, "upper_bound": np.inf}),
            "term_segments": _frame(parts, "segment", storage.SEGMENT_COLUMNS),
            "term_coefficients": terms[terms["family"].notna() & (terms["family"] != "tree")],
            "tree_nodes": _frame(parts, "node", ["target", "model", *NODE_COLUMNS]),
        }
        points = _frame(parts, "point", list(scorecard.POINTS_COLUMNS))
        restored[target] = (storage.from_tables(tables, target), points)
    return restored


def _frame(parts: Mapping[str, list[dict[str, Any]]], part: str, columns: list[str]) -> pd.DataFrame:
    return pd.DataFrame(parts.get(part, []), columns=columns)
