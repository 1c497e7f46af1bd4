"""Identity resolution from tables to tables: match weights, then customers."""

import duckdb
import numpy as np
import pandas as pd

from crm_mining.evaluation.thresholds import choose_threshold
from crm_mining.identity.clusters import check_decisions, cluster
from crm_mining.identity.model import fit


def fit_from_tables(
    patterns: duckdb.DuckDBPyRelation,
    records: duckdb.DuckDBPyRelation,
    attributes: duckdb.DuckDBPyRelation,
    fixed: duckdb.DuckDBPyRelation,
) -> pd.DataFrame:
    """Run :func:`fit` on the warehouse's tables.

    Parameters
    ----------
    patterns : relation
        ``pair_kind`` (candidate, random, or crowd: a candidate from which nothing is learned), a level column for each
        attribute, ``n_pairs``.
    records : relation
        One row per record; only counted.
    attributes : relation
        ``attribute, n_levels, is_household, is_namesake, chance``.
    fixed : relation
        ``attribute, level, m, u``; may be empty.

    Returns
    -------
    DataFrame
        ``attribute, level, m, h, n, u, is_fixed, bits, household_bits, namesake_bits``: the weights, the bits being
        ``log2`` of ``m``, ``h`` and ``n`` over ``u``; and a row ``prior`` with the share of all pairs of each kind.
    """
    listed = attributes.order("attribute").df()
    counts = patterns.order(", ".join(["pair_kind", *listed["attribute"]])).df()
    n_records = records.aggregate("count(*)").fetchall()[0][0]
    model = fit(
        counts[counts["pair_kind"] == "candidate"],
        counts[counts["pair_kind"] == "random"],
        n_pairs=n_records * (n_records - 1) // 2,
        n_levels={str(a): int(n) for a, n in zip(listed["attribute"], listed["n_levels"], strict=True)},
        household=[str(a) for a in listed.loc[listed["is_household"].astype(bool), "attribute"]],
        namesake=[str(a) for a in listed.loc[listed["is_namesake"].astype(bool), "attribute"]],
        chance={str(a): float(p) for a, p in zip(listed["attribute"], listed["chance"], strict=True)},
        fixed=fixed.order("attribute, level").df(),
    )
    prior = {"attribute": "prior", "level": 0, "is_fixed": False} | dict(zip("mhnu", model.prior.tolist(), strict=True))
    table = pd.concat([model.weights, pd.DataFrame([prior])], ignore_index=True)
    against_chance = {
        "bits": np.log2(table["m"] / table["u"]),
        "household_bits": np.log2(table["h"] / table["u"]),
        "namesake_bits": np.log2(table["n"] / table["u"]),
    }
    return table.assign(**against_chance)


def resolve(
    records: duckdb.DuckDBPyRelation,
    pairs: duckdb.DuckDBPyRelation,
    weights: duckdb.DuckDBPyRelation,
    overrides: duckdb.DuckDBPyRelation,
    *,
    threshold: str | float,
    cohesion: float,
    max_birth_date_errors: float,
) -> pd.DataFrame:
    """Run :func:`cluster` on the warehouse's tables.

    Parameters
    ----------
    records : relation
        ``record_id, created_at, birth_date`` (a date).
    pairs : relation
        ``record_a, record_b, match_probability`` of all candidate pairs.
    weights : relation
        ``attribute, level, m`` of :func:`fit_from_tables`.
    overrides : relation
        ``record_a, record_b, decision`` (same or different).
    threshold : "auto" or float
        Match threshold; ``auto`` lets :func:`choose_threshold` find it.
    cohesion : float
        See :func:`cluster`.
    max_birth_date_errors : float
        Nobody has two birth dates while at most this share of the matches have (``m`` of level 0 of ``birth_date``):
        where people or clerks invent birth dates, a wrong one is no reason to split a customer.

    Returns
    -------
    DataFrame
        What :func:`cluster` returns, and the ``match_threshold`` used.

    Raises
    ------
    ValueError
        When the threshold is neither ``auto`` nor a number between 0 and 1, one of the others no number between 0 and
        1, or the overrides contradict one another.
    """
    if threshold != "auto" and not 0 <= float(threshold) <= 1:
        raise ValueError(f"match_threshold must be auto or between 0 and 1; it is {threshold!r}")
    for name, value in (("cluster_cohesion", cohesion), ("max_birth_date_errors", max_birth_date_errors)):
        if not 0 <= float(value) <= 1:
            raise ValueError(f"{name} must lie between 0 and 1; it is {value!r}")
    errors = weights.filter("attribute = 'birth_date' and level = 0").aggregate("max(m)").fetchall()[0][0]
    scored = pairs.order("record_a, record_b").df()
    limit = choose_threshold(scored["match_probability"].to_numpy()) if threshold == "auto" else float(threshold)
    decided = overrides.order("record_a, record_b").df()
    by_decision = {
        decision: list(zip(rows["record_a"], rows["record_b"], strict=True))
        for decision, rows in decided.groupby("decision")
    }
    check_decisions(by_decision.get("same", []), by_decision.get("different", []))
    found = cluster(
        records.project("record_id, created_at, strftime(birth_date, '%Y%m%d') as birth_date").order("record_id").df(),
        scored,
        threshold=limit,
        cohesion=float(cohesion),
        one_birth_date=errors is not None and errors <= float(max_birth_date_errors),
        same=by_decision.get("same", []),
        different=by_decision.get("different", []),
    )
    return found.assign(match_threshold=limit)
