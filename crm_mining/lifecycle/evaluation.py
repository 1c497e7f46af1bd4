"""The decoded life cycle compared with the states that the persons of a synthetic world really went through."""

from pathlib import Path

import duckdb
import numpy as np
import numpy.typing as npt
import pandas as pd

from crm_mining.common.arrays import IntArray
from crm_mining.common.seeds import SEED
from crm_mining.evaluation.metric_table import METRIC_COLUMNS, no_metrics
from crm_mining.evaluation.truth import read_truth, sole_persons
from crm_mining.lifecycle.names import LOST, NEW

MODEL = "customer_lifecycle"
#: What the recency rule calls months since the last order, from the fewest on.
RULE_STATES = ("active", "lapsing", "dormant", LOST)
N_RESAMPLES = 200


def evaluate_lifecycle(
    states: duckdb.DuckDBPyRelation,
    months: duckdb.DuckDBPyRelation,
    terms: duckdb.DuckDBPyRelation,
    sources: duckdb.DuckDBPyRelation,
    *,
    record_persons: Path | None = None,
    person_states: Path | None = None,
    state_transitions: Path | None = None,
) -> pd.DataFrame:
    """Measure how often the state is right and how far the transitions are from the planted ones.

    Parameters
    ----------
    states : relation
        ``customer_id, month, state, state_then, fitted_as_of_date``.
    months : relation
        ``customer_id, month, n_orders``.
    terms : relation
        ``as_of_date, term, subject, object, value`` of the fits.
    sources : relation
        ``source_table, source_key, customer_id``.
    record_persons, person_states, state_transitions : Path, optional
        Truth tables: ``source_table, source_key, person_id``; ``person_id, month, state``, the months in which the
        state changed; ``from_state, to_state, probability``. Without them no rows.

    Returns
    -------
    DataFrame
        One row per target, split and metric, with the columns of
        :data:`crm_mining.evaluation.metric_table.METRIC_COLUMNS`. ``state`` (in hindsight) and ``state_then`` (as known
        at the end of the month): ``accuracy`` and ``macro_recall`` (mean over the true states) over all months after
        entry, 95 % intervals by resampling customers; the baseline is :func:`recency_rule`. ``transition``:
        ``max_error`` and ``mean_error`` over all cells of the planted matrix, and beside it the matrix counted from the
        rule's states.
    """
    if record_persons is None or person_states is None or state_transitions is None or states.limit(1).df().empty:
        return no_metrics()
    known = _with_truth(states, months, sources, record_persons, person_states)
    if known.empty:
        return no_metrics()
    silence, truth = known["silence"].to_numpy(), known["truth"].to_numpy(dtype="str")
    rule = recency_rule(silence, truth)
    who = np.asarray(known["customer_id"].astype("category").cat.codes, dtype="int64")
    rows = []
    for target in ("state", "state_then"):
        guess = known[target].to_numpy(dtype="str")
        measured = zip(_rates(guess, truth, who), _rates(rule, truth, who), strict=True)
        rows += [(target, *own, of_rule[1]) for own, of_rule in measured]
    planted = read_truth(state_transitions).astype({"probability": "float64"})
    planted_of = planted.set_index(["from_state", "to_state"])["probability"]
    fitted = states.aggregate("max(fitted_as_of_date)").fetchall()[0][0]
    found = terms.filter(f"term = 'transition' and as_of_date = '{fitted}'").df()
    own = found.set_index(["subject", "object"])["value"]
    counted = _counted(known.assign(rule=rule))
    errors, errors_of_rule = (
        (matrix.reindex(planted_of.index).fillna(0.0) - planted_of).abs() for matrix in (own, counted)
    )
    for metric, value, base in (
        ("max_error", errors.max(), errors_of_rule.max()),
        ("mean_error", errors.mean(), errors_of_rule.mean()),
    ):
        rows.append(("transition", metric, float(value), np.nan, np.nan, float(base)))
    frame = pd.DataFrame(rows, columns=["target", "metric", "value", "interval_low", "interval_high", "baseline"])
    return frame.assign(model=MODEL, split="all", fold=0)[list(METRIC_COLUMNS)].astype(METRIC_COLUMNS)


def recency_rule(silence: npt.ArrayLike, truth: npt.NDArray[np.str_]) -> npt.NDArray[np.str_]:
    """Call a customer by the months since the last order, with the thresholds that fit the truth best.

    Parameters
    ----------
    silence : array of shape (n,)
        Whole months since the month of the last order; 0 in that month.
    truth : array of shape (n,)
        Names of the true states: the rule chooses its three thresholds knowing them, an advantage nobody has in life.

    Returns
    -------
    array of shape (n,)
        Of :data:`RULE_STATES`.
    """
    months = np.minimum(np.asarray(silence, dtype="int64"), 36)
    counts = np.array([np.bincount(months[truth == state], minlength=37) for state in RULE_STATES])
    below = np.concatenate([np.zeros((len(RULE_STATES), 1), dtype="int64"), counts.cumsum(axis=1)], axis=1)
    best, cuts = -1, (0, 0, 0)
    for a in range(38):
        for b in range(a, 38):
            rest = below[0, a] + below[1, b] - below[1, a] + below[2, b:] - below[2, b] + below[3, 37] - below[3, b:]
            if rest.max() > best:
                best, cuts = int(rest.max()), (a, b, b + int(rest.argmax()))
    return np.asarray(np.array(RULE_STATES)[np.searchsorted(cuts, months, side="right")], dtype="str")


def _with_truth(
    states: duckdb.DuckDBPyRelation,
    months: duckdb.DuckDBPyRelation,
    sources: duckdb.DuckDBPyRelation,
    record_persons: Path,
    person_states: Path,
) -> pd.DataFrame:
    """Months after entry of customers who are one person in truth, with that person's state and months of silence."""
    pairs = sole_persons(sources.filter("source_table = 'shop.customers'"), record_persons)
    pairs = pairs.drop_duplicates("person_id", keep=False)
    changes = read_truth(person_states).rename(columns={"state": "truth"})
    changes["month"] = pd.to_datetime(changes["month"] + "-01").astype("datetime64[us]")
    frame = states.project("customer_id, month, state, state_then").df()
    frame = frame.merge(months.project("customer_id, month, n_orders").df(), on=["customer_id", "month"])
    frame["month"] = pd.to_datetime(frame["month"]).astype("datetime64[us]")
    frame = frame.merge(pairs, on="customer_id").sort_values(["month", "customer_id"], ignore_index=True)
    known = pd.merge_asof(frame, changes.sort_values(["month", "person_id"]), on="month", by="person_id")
    known = known.sort_values(["customer_id", "month"], ignore_index=True)
    position = known["month"].dt.year * 12 + known["month"].dt.month
    last = position.where(known["n_orders"] > 0).groupby(known["customer_id"]).ffill()
    silence = (position - last).fillna(36).astype("int64")
    known = known.assign(silence=silence)
    return known[known["truth"].notna() & (known["truth"] != NEW) & (known["state"] != NEW)].reset_index(drop=True)


def _counted(known: pd.DataFrame) -> pd.Series:
    """Shares of transitions between the rule's states, and from entry."""
    before = known.groupby("customer_id")["rule"].shift().fillna(NEW)
    n = pd.crosstab(before, known["rule"])
    shares = n.div(n.sum(axis=1), axis=0).stack()
    return pd.Series(shares)


def _rates(
    guess: npt.NDArray[np.str_], truth: npt.NDArray[np.str_], who: IntArray
) -> list[tuple[str, float, float, float]]:
    names = sorted(set(truth.tolist()))
    n = int(who.max()) + 1
    total = np.column_stack([np.bincount(who[truth == name], minlength=n) for name in names])
    right = np.column_stack([np.bincount(who[(truth == name) & (guess == truth)], minlength=n) for name in names])
    draw = np.random.default_rng(SEED)
    counts = [np.ones(n), *(np.bincount(draw.integers(0, n, n), minlength=n) for _ in range(N_RESAMPLES))]
    sums = np.array([[count @ right, count @ total] for count in counts], dtype="float64")
    accuracy = sums[:, 0].sum(axis=1) / sums[:, 1].sum(axis=1)
    recall = (sums[:, 0] / np.maximum(sums[:, 1], 1)).mean(axis=1)
    found = []
    for metric, values in (("accuracy", accuracy), ("macro_recall", recall)):
        low, high = np.quantile(values[1:], [0.025, 0.975])
        found.append((metric, float(values[0]), float(low), float(high)))
    return found
