"""Gaps filled by the policy with the least measured error.

Known cells are hidden, filled by each policy, and compared with what they held. They are hidden in two ways: at random,
and following the column's own pattern, with the odds at which a logistic model says that a record like this one lacks
the column (missing at random in the sense of Rubin 1976, *Inference and missing data*, Biometrika 63). Only the second
shows how a policy will do on the real gaps, so it decides; where values are missing because of what they are, neither
does. The cells that choose a policy are never those that judge the choice, and a policy that is not one of the four
simple ones must be better than the best of them by more than two standard errors of their difference (the rule of
Breiman et al. 1984, *Classification and Regression Trees*, section 3.4.3, on paired differences, and with two errors
instead of one because the best of many looks better than it is).
"""

import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa

from crm_mining.cleaning.imputation_models import Encoder, Sample, fit_matrix, fit_model, missingness_odds
from crm_mining.common.arrays import FloatArray, IntArray, TextArray
from crm_mining.common.threads import one_thread

Predictor = Callable[[IntArray, IntArray], pd.Series]
SIMPLE = ("median", "mode", "mean", "constant")
BY_MODEL = ("nearest_neighbours", "regression")
#: From simple to intricate: of two policies with about the same error the one that is easier to explain is taken.
RANK = {**dict.fromkeys(SIMPLE, 0), "minimum": 0, "maximum": 0, "regression": 2, "nearest_neighbours": 3}
#: What identifies a person is never invented, whatever a policy says.
NEVER_FILLED = ("first_name", "middle_name", "last_name", "full_name", "email", "phone", "mobile", "birth_date")
MASKINGS = ("at_random", "own_pattern")
#: With fewer known values than this nothing is measured.
MIN_KNOWN = 20
#: A policy must be better by this many standard errors to be taken instead of a simpler one.
N_ERRORS = 2
MASK_SHARE, MAX_MASKED, WANTED_MASKED, MAX_ROUNDS = 0.1, 500, 200, 5
BATCH_ROWS = 20_000
CHOICE_COLUMNS = {
    "table_name": "str", "column_name": "str", "masking": "str", "policy": "str", "group_by": "str", "metric": "str",
    "n_gaps": "int64", "n_cells": "int64", "error": "float64", "standard_error": "float64", "rmse": "float64",
    "n_held_out": "int64", "held_out_error": "float64", "held_out_difference": "float64",
    "held_out_difference_error": "float64", "is_simple": "bool", "is_best": "bool", "is_chosen": "bool",
    "is_auto": "bool",
}  # fmt: skip
PREDICTED = pa.schema(
    [(name, pa.string()) for name in ("table_name", "record_key", "column_name", "imputed_value", "policy")]
)


@dataclass(frozen=True)
class Policy:
    """A way to fill a gap.

    Parameters
    ----------
    name : str
        mean, median, minimum, maximum, mode, constant, nearest_neighbours or regression.
    group_by : str or None
        Column within whose groups the value is taken; where the group is unknown, that of all rows counts.
    n_groups : int
        How many groups there are.
    """

    name: str
    group_by: str | None = None
    n_groups: int = field(default=0, compare=False)

    @property
    def rank(self) -> int:
        """0 for a single value, 1 within groups, more for models."""
        return 1 if self.group_by else RANK[self.name]

    @property
    def is_simple(self) -> bool:
        """Whether it is one of the four that every other has to beat."""
        return self.group_by is None and self.name in SIMPLE


def choose_policies(
    records: duckdb.DuckDBPyRelation, policies: duckdb.DuckDBPyRelation, *, sample_rows: int, seed: int = 1
) -> pd.DataFrame:
    """Measure every policy for every column with gaps, and say which one fills it.

    Parameters
    ----------
    records : DuckDBPyRelation
        One row per record: ``table_name, record_key, source, texts`` (map), ``numbers`` (map), ``imputable`` (list of
        the columns that may be filled). A source that never fills a column has no gaps in it.
    policies : DuckDBPyRelation
        ``table_name, column_name, policy`` (one of :class:`Policy`, or ``auto``), ``group_by, constant``. A column
        without a policy is measured and left as it is.
    sample_rows : int
        Records of a table that are measured on; they are drawn by the hash of their key.
    seed : int
        Of the draws.

    Returns
    -------
    DataFrame
        One row per table, column, masking and policy. ``error`` is the mean absolute error relative to the mean
        deviation of the known values from their median (so that filling in the median of all gives about 1), or the
        share of wrong categories. ``rmse`` is relative to the standard deviation. ``is_best``: least error of the
        masking; ``is_chosen``: fills the gaps. ``held_out_…`` is measured on cells that had no part in the choice;
        ``held_out_difference`` is the mean of error minus that of the best simple policy on these cells, with its
        standard error. Where too little is known to measure, one row with n_cells 0 says what fills the gaps.

    Raises
    ------
    ValueError
        When a policy would invent what identifies a person, is unknown, or does not fit the column.
    """
    wanted = {(row["table_name"], row["column_name"]): row for row in _rows(policies)}
    for table, column in wanted:
        if column in NEVER_FILLED:
            raise ValueError(f"imputation_policies: {table}.{column} identifies a person and is never filled")
    found: list[pd.DataFrame] = []
    for (table,) in records.project("table_name").distinct().order("table_name").fetchall():
        rows_of_table = records.filter(duckdb.ColumnExpression("table_name") == duckdb.ConstantExpression(table))
        sample = _sample(rows_of_table, sample_rows)
        columns = _imputable(rows_of_table)
        for name in [name for declared_for, name in wanted if declared_for == table and name not in columns]:
            raise ValueError(f"imputation_policies: {table}.{name} is none of {', '.join(columns)}")
        for column in columns:
            n_gaps, sources = _gaps(rows_of_table, column)
            is_kept = sample.frame["source"].isin(sources)
            of_sources = Sample(sample.frame[is_kept].reset_index(drop=True), sample.texts, sample.numbers)
            if n_gaps or (table, column) in wanted:
                # One thread: the same figures whatever the machine, and no queueing for small matrices.
                with one_thread():
                    choice = measure_column(
                        of_sources, column, wanted.get((table, column)), seed=_seed(seed, table, column)
                    )
                found.append(choice.assign(table_name=table, column_name=column, n_gaps=n_gaps))
    if not found:
        return pd.DataFrame({name: pd.Series(dtype=dtype) for name, dtype in CHOICE_COLUMNS.items()})
    choices = pd.concat(found, ignore_index=True)[list(CHOICE_COLUMNS)].astype(CHOICE_COLUMNS)
    return choices.sort_values(["table_name", "column_name", "masking", "policy", "group_by"], ignore_index=True)


def measure_column(sample: Sample, column: str, wanted: dict[str, str | None] | None, *, seed: int) -> pd.DataFrame:
    """Measure the policies for one column; see :func:`choose_policies` for what comes back.

    Parameters
    ----------
    sample : Sample
        Records of the sources that keep the column.
    column : str
        A text or number column of it.
    wanted : dict or None
        ``policy``, ``group_by`` and ``constant`` as declared; None where the column is only measured.
    seed : int
        Of the draws.
    """
    is_number = column in sample.numbers
    declared = (wanted or {}).get("policy")
    is_auto = declared == "auto"
    fixed = Policy(declared, (wanted or {}).get("group_by")) if declared and not is_auto else None
    _check(fixed, column, sample)
    known = np.flatnonzero(sample.frame[column].notna().to_numpy()).astype(np.int64)
    policies = _candidates(sample, column)
    if fixed and fixed not in policies:
        policies.append(fixed)
    constant = (wanted or {}).get("constant")
    shared: dict[str, Any] = {"metric": "relative_mae" if is_number else "share_wrong", "is_auto": is_auto}
    if len(known) < MIN_KNOWN:
        fallback = fixed or (Policy("median" if is_number else "mode") if is_auto and len(known) else None)
        return _unmeasured([fallback] if fallback else [], shared)
    values = sample.frame[column].to_numpy()[known]
    scales = _scales(values) if is_number else (1.0, 1.0)
    predict = _predictors(sample, column, constant)
    halves = _halves(len(known), seed)
    errors: dict[str, dict[int, pd.DataFrame]] = {}
    for masking in MASKINGS:
        odds = missingness_odds(sample, column, known) if masking == "own_pattern" else np.ones(len(known))
        errors[masking] = _masked_errors(known, values, odds, halves, policies, predict, is_number, seed)
    chosen = fixed or (choose(errors["own_pattern"][0], policies) if is_auto else None)
    parts = [_summary(errors[masking], policies, scales, is_number).assign(masking=masking) for masking in MASKINGS]
    measured = pd.concat(parts, ignore_index=True).assign(**shared)
    is_chosen = np.tile([policy == chosen for policy in policies], len(MASKINGS))
    return measured.assign(is_chosen=is_chosen)


def choose(errors: pd.DataFrame, policies: Sequence[Policy]) -> Policy:
    """Take the policy with the least error, or a simpler one that is not worse by more than two standard errors.

    Parameters
    ----------
    errors : DataFrame
        One row per hidden cell, one column per policy (by position): absolute error, or 1 where wrong.
    policies : sequence of Policy
        What the columns are.

    Returns
    -------
    Policy
        The simplest within two standard errors of the paired difference to the best. Of policies as simple as one
        another it is the one with the least error; of groups, the one with the fewest that is near the best.
    """
    means = errors.mean().to_numpy()
    order = sorted(range(len(policies)), key=lambda i: (means[i], policies[i].rank, policies[i].n_groups, i))
    best = order[0]

    def is_near(i: int) -> bool:
        return bool(means[i] - means[best] <= N_ERRORS * _standard_error(errors[i] - errors[best]))

    simple = next((i for i in order if policies[i].rank == 0), best)
    others = sorted((i for i in order if policies[i].rank > 0), key=lambda i: (policies[i].rank, policies[i].n_groups))
    return policies[next(i for i in [simple, *others, best] if is_near(i))]


def predict_gaps(
    records: duckdb.DuckDBPyRelation, choices: duckdb.DuckDBPyRelation, *, sample_rows: int
) -> pa.RecordBatchReader:
    """Fill the gaps of those columns for which a model was chosen.

    Parameters
    ----------
    records, sample_rows
        As for :func:`choose_policies`.
    choices : DuckDBPyRelation
        What it returned.

    Returns
    -------
    RecordBatchReader
        One row per gap: ``table_name, record_key, column_name, imputed_value`` (text), ``policy``. The model is fitted
        to the sample, and gaps are filled in batches.
    """
    chosen = choices.filter("is_chosen").project("table_name, column_name, policy").distinct().order("all").fetchall()

    def batches() -> Iterator[pa.RecordBatch]:
        for table, column, policy in chosen:
            if policy not in BY_MODEL:
                continue
            rows = records.filter(duckdb.ColumnExpression("table_name") == duckdb.ConstantExpression(table))
            _, sources = _gaps(rows, column)
            sample = _sample(rows, sample_rows)
            fit_on = Sample(
                sample.frame[sample.frame["source"].isin(sources)].reset_index(drop=True), sample.texts, sample.numbers
            )
            model = fit_model(fit_on, column, policy)
            gaps = rows.filter(f"{_value(column)} is null").order("record_key")
            for batch in gaps.to_arrow_reader(BATCH_ROWS):
                frame = _wide(batch.to_pandas(), sample.texts, sample.numbers)
                frame = frame[frame["source"].isin(sources)]
                if len(frame):
                    n = len(frame)
                    texts = [_as_text(value) for value in model(frame)]
                    yield pa.RecordBatch.from_arrays(
                        [
                            pa.array([table] * n, pa.string()),
                            pa.array(frame["record_key"].to_list(), pa.string()),
                            pa.array([column] * n, pa.string()),
                            pa.array(texts, pa.string()),
                            pa.array([policy] * n, pa.string()),
                        ],
                        schema=PREDICTED,
                    )

    return pa.RecordBatchReader.from_batches(PREDICTED, batches())


def _check(fixed: Policy | None, column: str, sample: Sample) -> None:
    if fixed is None:
        return
    if fixed.name not in RANK:
        raise ValueError(f"imputation_policies: unknown policy `{fixed.name}` for {column}")
    if column not in sample.numbers and fixed.name in ("mean", "median", "minimum", "maximum"):
        raise ValueError(f"imputation_policies: {fixed.name} is for numbers, {column} is none")
    if fixed.group_by is not None and fixed.group_by not in sample.texts:
        raise ValueError(f"imputation_policies: {column} can't be grouped by `{fixed.group_by}`")


def _candidates(sample: Sample, column: str) -> list[Policy]:
    """List the policies that fit the column; groups must be real groups for at least half of the records."""
    is_number = column in sample.numbers
    names = [*SIMPLE, "minimum", "maximum", *BY_MODEL] if is_number else ["mode", "constant", *BY_MODEL]
    groups = []
    for name in sample.texts:
        sizes = sample.frame[name].value_counts()
        if name != column and len(sizes) > 1 and sizes[sizes > 1].sum() >= len(sample.frame) / 2:
            groups.append(Policy("median" if is_number else "mode", name, len(sizes)))
    return [*(Policy(name) for name in names), *groups]


def _predictors(sample: Sample, column: str, constant: str | None) -> Callable[[Policy], Predictor]:
    """Return what gives, for a policy, a function of the rows to learn from and the rows to fill."""
    is_number = column in sample.numbers
    values = sample.frame[column]
    # Models see the records in one matrix, made once: it does not hold the column itself.
    matrix = Encoder(sample, column)(sample.frame)

    def of(policy: Policy) -> Predictor:
        if policy.name in BY_MODEL:
            return lambda train, test: pd.Series(
                fit_matrix(matrix[train], values.iloc[train], policy.name)(matrix[test])
            )
        if policy.name == "constant":
            filled = constant if constant is not None else (0.0 if is_number else "unknown")
            return lambda train, test: pd.Series([float(filled) if is_number else filled] * len(test))
        statistic = _statistic(policy.name)

        def by_group(train: IntArray, test: IntArray) -> pd.Series:
            everywhere = statistic(values.iloc[train])
            if policy.group_by is None:
                return pd.Series([everywhere] * len(test))
            groups = sample.frame[policy.group_by]
            by_value = _by_group(values.iloc[train], groups.iloc[train], policy.name)
            return groups.iloc[test].map(by_value).fillna(everywhere).reset_index(drop=True)

        return by_group

    return of


def _statistic(name: str) -> Callable[[pd.Series], float | str]:
    """Return the statistic as the warehouse's SQL takes it: the lower median, and of equals the first."""
    return {
        "mean": lambda known: round(float(known.mean()), 2),
        "median": lambda known: float(known.quantile(0.5, interpolation="lower")),
        "minimum": lambda known: float(known.min()),
        "maximum": lambda known: float(known.max()),
        "mode": lambda known: known.mode().iloc[0],
    }[name]


def _by_group(values: pd.Series, groups: pd.Series, name: str) -> pd.Series:
    """Take the statistic within each group; of equally frequent values the first counts."""
    grouped = values.groupby(groups)
    if name == "median":
        return grouped.quantile(0.5, interpolation="lower")
    if name == "mode":
        counts = pd.DataFrame({"group": groups, "value": values}).value_counts().reset_index(name="n")
        first = counts.sort_values(["group", "n", "value"], ascending=[True, False, True]).drop_duplicates("group")
        return first.set_index("group")["value"]
    return grouped.agg(_statistic(name))


def _halves(n: int, seed: int) -> tuple[IntArray, IntArray]:
    """Positions of the cells that choose, and of those that judge the choice."""
    order = np.random.default_rng([seed, 0]).permutation(n).astype(np.int64)
    return np.sort(order[: n // 2]), np.sort(order[n // 2 :])


def _masked_errors(
    known: IntArray,
    values: TextArray,
    odds: FloatArray,
    halves: tuple[IntArray, IntArray],
    policies: Sequence[Policy],
    predict: Callable[[Policy], Predictor],
    is_number: bool,
    seed: int,
) -> dict[int, pd.DataFrame]:
    """Hide cells, fill them by each policy, and return per half one row per hidden cell and one column per policy."""
    n_masked = int(np.clip(MASK_SHARE * len(known), 1, MAX_MASKED))
    n_rounds = int(np.clip(np.ceil(WANTED_MASKED / n_masked), 1, MAX_ROUNDS))
    fill = [predict(policy) for policy in policies]
    found: dict[int, list[pd.DataFrame]] = {0: [], 1: []}
    for round_number in range(n_rounds):
        rng = np.random.default_rng([seed, 1, round_number])
        masked = [
            np.sort(rng.choice(half, size=min(n_masked, len(half)), replace=False, p=odds[half] / odds[half].sum()))
            for half in halves
        ]
        train = known[np.setdiff1d(np.arange(len(known)), np.concatenate(masked))]
        both = np.concatenate(masked)
        filled = [filler(train, known[both]).to_numpy() for filler in fill]
        truth = values[both]
        wrong = {
            i: np.abs(column.astype(np.float64) - truth.astype(np.float64)) if is_number else (column != truth) * 1.0
            for i, column in enumerate(filled)
        }
        errors = pd.DataFrame(wrong, index=both)
        for number, cells in enumerate(masked):
            found[number].append(errors.loc[cells])
    return {number: pd.concat(parts).groupby(level=0).mean() for number, parts in found.items()}


def _summary(
    errors: dict[int, pd.DataFrame], policies: Sequence[Policy], scales: tuple[float, float], is_number: bool
) -> pd.DataFrame:
    """One row per policy: errors of the choosing cells, and those of the judging ones beside the best simple policy."""
    choosing, judging = errors[0], errors[1]
    simple = [i for i, policy in enumerate(policies) if policy.is_simple]
    best_simple = min(simple, key=lambda i: (judging[i].mean(), i))
    means = choosing.mean()
    rows = []
    for i, policy in enumerate(policies):
        difference = judging[i] - judging[best_simple]
        rows.append({
            "policy": policy.name,
            "group_by": policy.group_by,
            "n_cells": len(choosing),
            "error": means[i] / scales[0],
            "standard_error": _standard_error(choosing[i]) / scales[0],
            "rmse": float(np.sqrt((choosing[i] ** 2).mean())) / scales[1] if is_number else np.nan,
            "n_held_out": len(judging),
            "held_out_error": judging[i].mean() / scales[0],
            "held_out_difference": difference.mean() / scales[0],
            "held_out_difference_error": _standard_error(difference) / scales[0],
            "is_simple": policy.is_simple,
            "is_best": bool(i == means.idxmin()),
        })  # fmt: skip
    summary = pd.DataFrame(rows)
    return summary.round({name: 6 for name in summary.columns if summary[name].dtype == "float64"})


def _unmeasured(policies: Sequence[Policy], shared: dict[str, Any]) -> pd.DataFrame:
    rows = [{"policy": p.name, "group_by": p.group_by, "is_simple": p.is_simple, "is_chosen": True} for p in policies]
    empty: dict[str, Any] = dict.fromkeys(
        ("error", "standard_error", "rmse", "held_out_error", "held_out_difference", "held_out_difference_error"),
        np.nan,
    )
    frame = pd.DataFrame(rows, columns=["policy", "group_by", "is_simple", "is_chosen"])
    return frame.assign(masking="none", n_cells=0, n_held_out=0, is_best=False, **empty, **shared)


def _rows(relation: duckdb.DuckDBPyRelation) -> list[dict[str, str | None]]:
    return [dict(zip(relation.columns, row, strict=True)) for row in relation.order("all").fetchall()]


def _imputable(rows: duckdb.DuckDBPyRelation) -> list[str]:
    found = rows.project("unnest(imputable) as column_name").distinct().order("column_name").fetchall()
    return [name for (name,) in found if name not in NEVER_FILLED]


def _value(column: str) -> str:
    """Write the SQL of a column's value as text, wherever it stands."""
    return f"coalesce(texts['{column}'], numbers['{column}']::varchar)"


def _gaps(rows: duckdb.DuckDBPyRelation, column: str) -> tuple[int, list[str]]:
    """Count the gaps in the sources that keep the column, and list these."""
    counts = rows.aggregate(f"source, count(*) as n, count({_value(column)}) as n_known", "source").fetchall()
    kept = [(source, n - n_known) for source, n, n_known in counts if n_known]
    return sum(n for _, n in kept), sorted(source for source, _ in kept)


def _sample(rows: duckdb.DuckDBPyRelation, sample_rows: int) -> Sample:
    drawn = rows.order("md5(record_key), record_key").limit(sample_rows).df()
    first = drawn.iloc[0]
    texts, numbers = sorted(first["texts"]), sorted(first["numbers"])
    return Sample(_wide(drawn, texts, numbers), texts, numbers)


def _wide(rows: pd.DataFrame, texts: Sequence[str], numbers: Sequence[str]) -> pd.DataFrame:
    """Side by side what the maps hold. Arrow gives a map as a list of pairs, DuckDB as a dict."""
    columns: dict[str, pd.Series] = {name: rows[name].astype("str") for name in ("record_key", "source")}
    text_maps, number_maps = [dict(m) for m in rows["texts"]], [dict(m) for m in rows["numbers"]]
    for name in texts:
        columns[name] = pd.Series([m[name] for m in text_maps], index=rows.index, dtype="str")
    for name in numbers:
        columns[name] = pd.Series([m[name] for m in number_maps], index=rows.index, dtype="float64")
    return pd.DataFrame(columns)


def _seed(seed: int, table: str, column: str) -> int:
    return zlib.crc32(f"{seed} {table}.{column}".encode())


def _scales(values: FloatArray) -> tuple[float, float]:
    """Mean deviation from the median, and standard deviation; 1 where all values are equal."""
    deviation = float(np.mean(np.abs(values - np.median(values))))
    return deviation or 1.0, float(np.std(values)) or 1.0


def _standard_error(values: pd.Series) -> float:
    return float(values.std(ddof=1) / np.sqrt(len(values))) if len(values) > 1 else float("inf")


def _as_text(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:.4f}".rstrip("0").rstrip(".")
