"""Identity resolution compared with the truth, where there is one."""

from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from crm_mining.common.arrays import FloatArray, IntArray
from crm_mining.common.seeds import SEED
from crm_mining.evaluation.metric_table import METRIC_COLUMNS, no_metrics
from crm_mining.evaluation.truth import read_truth

N_RESAMPLES = 500


def evaluate_identity(
    sources: duckdb.DuckDBPyRelation, records: duckdb.DuckDBPyRelation, truth: Path | None
) -> pd.DataFrame:
    """Score the customers and two simple baselines against the true persons.

    Parameters
    ----------
    sources : relation
        ``record_id, source_table, source_key, customer_id``.
    records : relation
        ``record_id, email, phone, mobile``: what the baselines go by, exact e-mail only and e-mail or phone.
    truth : Path or None
        ``record_persons.csv`` or ``.parquet`` with ``source_table, source_key, person_id``; None where nobody knows.

    Returns
    -------
    DataFrame
        One row per model and metric, with the columns of :data:`METRIC_COLUMNS`: the value, its 95 % interval by
        resampling persons (percentile bootstrap, Efron 1979), and the value of the baseline e-mail or phone. No truth,
        no rows.
    """
    if truth is None:
        return no_metrics()
    persons = read_truth(truth)[["source_table", "source_key", "person_id"]].drop_duplicates()
    labelled = sources.order("record_id").df().merge(persons, on=["source_table", "source_key"])
    labelled = labelled.merge(records.df(), on="record_id").sort_values("record_id", kind="stable", ignore_index=True)
    if labelled.empty:
        return no_metrics()
    person = pd.factorize(labelled["person_id"])[0]
    labelings = {
        "identity_resolution": pd.factorize(labelled["customer_id"])[0],
        "baseline_email": _connected(labelled, ["email"]),
        "baseline_email_or_phone": _connected(labelled, ["email", "phone", "mobile"]),
    }
    scored = {name: _metrics(customer, person) for name, customer in labelings.items()}
    baseline = scored["baseline_email_or_phone"]
    rows = [
        (name, "customer_id", "all", 0, metric, value, low, high, baseline[metric][0])
        for name, metrics in scored.items()
        for metric, (value, low, high) in metrics.items()
    ]
    return pd.DataFrame(rows, columns=list(METRIC_COLUMNS)).astype(METRIC_COLUMNS)


def _connected(records: pd.DataFrame, columns: list[str]) -> IntArray:
    """Label records that share a value in any of the columns, directly or through others."""
    links = [
        pd.DataFrame({"record": np.arange(len(records)), "value": records[column]}).dropna()
        for column in columns
    ]  # fmt: skip
    # Landline and mobile are one kind of value, an e-mail address is never a number, so one pool of values will do.
    pooled = pd.concat(links, ignore_index=True)
    codes = pd.factorize(pooled["value"])[0] + len(records)
    n = len(records) + (int(codes.max()) + 1 - len(records) if len(codes) else 0)
    graph = coo_array((np.ones(len(codes)), (pooled["record"].to_numpy(), codes)), shape=(n, n))
    return np.asarray(connected_components(graph, directed=False)[1][: len(records)], dtype="int64")


def _metrics(customer: IntArray, person: IntArray) -> dict[str, tuple[float, float, float]]:
    """Pairwise and B-cubed measures (see cluster_metrics) with intervals.

    Each person's share of the sums is kept apart, so that persons can be drawn again with replacement.
    """
    cells = pd.DataFrame({"customer": customer, "person": person}).value_counts(sort=False).rename("both").reset_index()
    both = cells["both"].to_numpy(dtype="float64")
    of_customer = cells.groupby("customer")["both"].transform("sum").to_numpy(dtype="float64")
    of_person = cells.groupby("person")["both"].transform("sum").to_numpy(dtype="float64")
    terms = np.column_stack(
        [
            both * (both - 1), both * (of_customer - 1), both * (of_person - 1),
            both * both / of_customer, both * both / of_person, both,
        ]
    )  # fmt: skip
    n_persons = int(person.max()) + 1
    by_person = np.zeros((n_persons, terms.shape[1]))
    np.add.at(by_person, cells["person"].to_numpy(), terms)
    draws = np.random.default_rng(SEED).multinomial(n_persons, np.full(n_persons, 1 / n_persons), size=N_RESAMPLES)
    value = _ratios(by_person.sum(axis=0, keepdims=True))
    # Not a matrix product: its last digit depends on where the numbers lie in memory.
    resampled = _ratios(np.column_stack([(draws * column).sum(axis=1) for column in by_person.T]))
    found = {
        name: (float(v[0]), *(float(q) for q in np.quantile(resampled[name], [0.025, 0.975])))
        for name, v in value.items()
    }
    counts = {"n_customers": float(len(np.unique(customer))), "n_persons": float(n_persons)}
    return found | {name: (count, count, count) for name, count in counts.items()}  # type: ignore[return-value]


def _ratios(sums: FloatArray) -> dict[str, FloatArray]:
    """Measures from the sums, shape (n, 6), of the terms in :func:`_metrics`; without a pair a share is 1."""
    both, of_customer, of_person, precision, recall, n = sums.T
    pairwise = [np.divide(both, total, out=np.ones_like(both), where=total > 0) for total in (of_customer, of_person)]
    total = of_customer + of_person
    return {
        "pairwise_precision": pairwise[0],
        "pairwise_recall": pairwise[1],
        "pairwise_f1": np.divide(2 * both, total, out=np.ones_like(both), where=total > 0),
        "bcubed_precision": precision / n,
        "bcubed_recall": recall / n,
        "bcubed_f1": 2 * precision * recall / (n * (precision + recall)),
    }
