"""How well customers agree with people: pairwise and B-cubed precision, recall and F1 of a clustering."""

import duckdb
import pandas as pd

# Counts of records by (customer, person), by customer and by person determine all counts of pairs. Cells with
# the same three counts add the same terms, so they are counted first and the sums then run over few rows, in a fixed
# order: the last bit of a sum of fractions depends on the order of its terms.
_METRICS = """
with cells as (
    select
        customer_id,
        person_id,
        count(*) as n_both
    from labelled_records
    group by customer_id, person_id
),

counted as (
    select
        n_both,
        sum(n_both) over (partition by customer_id)::bigint as n_customer,
        sum(n_both) over (partition by person_id)::bigint as n_person
    from cells
),

shapes as (
    select
        n_both,
        n_customer,
        n_person,
        count(*) as n_cells
    from counted
    group by n_both, n_customer, n_person
),

sums as (
    select
        coalesce(sum(n_cells * n_both), 0)::bigint as n_records,
        sum(n_cells * n_both * (n_both - 1)::hugeint) / 2 as both_pairs,
        -- A cell holds n_both of its customer's n records, each in n - 1 pairs; together they count every pair twice.
        sum(n_cells * n_both * (n_customer - 1)::hugeint) / 2 as customer_pairs,
        sum(n_cells * n_both * (n_person - 1)::hugeint) / 2 as person_pairs,
        sum(n_cells * n_both * (n_both / n_customer) order by n_both, n_customer, n_person) as precision_sum,
        sum(n_cells * n_both * (n_both / n_person) order by n_both, n_customer, n_person) as recall_sum
    from shapes
),

scored as (
    select
        case when n_records > 0 then coalesce(both_pairs / nullif(customer_pairs, 0), 1) end as pairwise_precision,
        case when n_records > 0 then coalesce(both_pairs / nullif(person_pairs, 0), 1) end as pairwise_recall,
        case
            when n_records > 0 then coalesce(2 * both_pairs / nullif(customer_pairs + person_pairs, 0), 1)
        end as pairwise_f1,
        precision_sum / n_records as bcubed_precision,
        recall_sum / n_records as bcubed_recall,
        2 * precision_sum * recall_sum / (n_records * (precision_sum + recall_sum)) as bcubed_f1,
        n_records,
        (select count(distinct customer_id) from cells) as n_customers,
        (select count(distinct person_id) from cells) as n_persons
    from sums
)

select
    unnest([
        'pairwise_precision', 'pairwise_recall', 'pairwise_f1', 'bcubed_precision', 'bcubed_recall', 'bcubed_f1',
        'n_records', 'n_customers', 'n_persons'
    ]) as metric,
    unnest([
        pairwise_precision, pairwise_recall, pairwise_f1, bcubed_precision, bcubed_recall, bcubed_f1,
        n_records, n_customers, n_persons
    ]::double[]) as value
from scored
"""

_FAULTS = """
select
    count(*) filter (where record_id is null or customer_id is null or person_id is null) as n_incomplete,
    count(record_id) - count(distinct record_id) as n_repeated
from labelled_records
"""


def cluster_metrics(records: pd.DataFrame | duckdb.DuckDBPyRelation) -> pd.DataFrame:
    """Compare the customers that records were grouped into with the people they are of.

    The pairwise measures ask of each pair of records whether the clustering joins it and whether it is of one person
    (precision, recall and F1 of these decisions). A large cluster weighs with the square of its size, and precision and
    recall weigh by how many pairs are joined and how many true: Hand & Christen 2018, *A note on using the F-measure
    for evaluating record linkage algorithms*, Statistics and Computing 28. B-cubed asks of each record what share of
    its customer's records are of its person (precision) and what share of its person's records are in its customer
    (recall), and averages over the records: Bagga & Baldwin 1998, *Entity-based cross-document coreferencing using the
    vector space model*, COLING-ACL. Its F1 is the harmonic mean of the two averages.

    All come from the counts of records by customer and person; pairs are never formed.

    Parameters
    ----------
    records : DataFrame or DuckDBPyRelation
        One row per record: ``record_id`` (unique), ``customer_id`` (the cluster) and ``person_id`` (the truth), none of
        them null, of any type that can be grouped by. Further columns are ignored.

    Returns
    -------
    DataFrame
        ``metric, value``, nine rows in this order: ``pairwise_precision``, ``pairwise_recall``, ``pairwise_f1``,
        ``bcubed_precision``, ``bcubed_recall``, ``bcubed_f1`` (shares between 0 and 1), ``n_records``, ``n_customers``,
        ``n_persons`` (counts). Where there is no pair to be wrong about, a share is 1: all customers of one record have
        a pairwise precision of 1, all people of one record a pairwise recall of 1. Without records all shares are NaN.

    Raises
    ------
    ValueError
        When a label is null or a ``record_id`` is there twice.

    Examples
    --------
    >>> labels = pd.DataFrame({"record_id": [1, 2, 3], "customer_id": ["a", "a", "b"], "person_id": ["x", "x", "x"]})
    >>> cluster_metrics(labels).set_index("metric")["value"].round(3).to_dict()["pairwise_recall"]
    0.333
    """
    if isinstance(records, pd.DataFrame):
        with duckdb.connect() as connection:
            return _from_relation(connection.from_df(records))
    return _from_relation(records)


def _from_relation(records: duckdb.DuckDBPyRelation) -> pd.DataFrame:
    n_incomplete, n_repeated = records.query("labelled_records", _FAULTS).fetchall()[0]
    if n_incomplete:
        raise ValueError(f"{n_incomplete} records lack record_id, customer_id or person_id")
    if n_repeated:
        raise ValueError(f"record_id is not unique: {n_repeated} repetitions")
    return records.query("labelled_records", _METRICS).df()
