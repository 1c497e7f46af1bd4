"""Rules and paths through the dbt models: what was planted is found, chance is not, and the future stays unseen."""

import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from conftest import SAMPLE, Build, dbt_run_in_process, open_to_read, open_to_write, table_hashes
from dbt.contracts.graph.manifest import Manifest

from crm_mining.baskets.paths import paths_from_tables
from crm_mining.baskets.rules import itemsets_from_tables, rules_from_tables

MARTS = [
    "basket_itemsets", "basket_rules", "basket_rule_items", "path_rules", "purchase_transitions", "rule_set_summary",
]  # fmt: skip
MODELS = "int_basket_lines+ int_rule_sets+ int_path_sets+ int_service_events+"

PLANTED = f"""
with planted as (
    select
        rule_id,
        kind,
        array_to_string(list_sort(string_split(antecedent, ';')), ' + ')
        || ' => ' || consequent as found_as,
        probability
    from '{SAMPLE}/truth/planted_rules.csv'
),

found as (
    select 'bundle' as kind, rule_id as found_as, confidence, q_value, is_redundant, holdout_confidence
    from marts.basket_rules where rule_set = 'order_products'
    union all
    select 'sequence' as kind, rule_id as found_as, confidence, q_value, is_redundant, holdout_confidence
    from marts.path_rules where path_set = 'purchased_products'
)

select planted.rule_id, planted.probability, found.* exclude (kind, found_as)
from planted left join found using (kind, found_as)
"""


def test_planted_bundles_and_sequences_are_found(sample_build: Build) -> None:
    rows = sample_build.query(PLANTED)
    assert len(rows) == 18
    found = [row for row in rows if row[3] is not None and row[3] < 0.05 and not row[4]]
    assert len(found) >= 0.95 * len(rows)
    # Bought anyway adds to the planted probability, leaving takes from it.
    assert all(-0.07 < confidence - probability < 0.15 for _, probability, confidence, *_ in found)


@pytest.mark.parametrize(
    ("rule_sets", "items", "table", "name", "column"),
    [
        ("int_rule_sets", "int_basket_items", "basket_rules", "rule_set", "order_products"),
        ("int_rule_sets", "int_basket_items", "basket_rules", "rule_set", "order_categories"),
        ("int_path_sets", "int_path_events", "path_rules", "path_set", "purchased_products"),
    ],
)
def test_of_permuted_purchases_hardly_a_rule_is_left(
    sample_build: Build, rule_sets: str, items: str, table: str, name: str, column: str
) -> None:
    """What was bought is dealt out anew over all lines of all customers; who bought when, and how much, stays."""
    with open_to_read(sample_build.warehouse) as con:
        rows = con.sql(f"from intermediate.{items} where {name} = '{column}' order by all").to_arrow_table()
        options = con.sql(f"from intermediate.{rule_sets} where {name} = '{column}'")
        significant = f"{name} = '{column}' and q_value < 0.05"
        before = con.execute(f"select count(*) from marts.{table} where {significant}").fetchall()
        dealt = rows["item_id"].take(pa.array(np.random.default_rng(7).permutation(rows.num_rows)))
        permuted = con.from_arrow(rows.set_column(rows.column_names.index("item_id"), "item_id", dealt))
        if table == "basket_rules":
            itemsets = con.from_arrow(itemsets_from_tables(permuted, options))
            after = rules_from_tables(itemsets, permuted, options)
        else:
            after = paths_from_tables(permuted, options)
    assert before[0][0] >= 10
    assert sum(q < 0.05 for q in after["q_value"].to_pylist()) <= 0.05 * before[0][0]


def test_the_future_is_not_seen(sample_build: Build, manifest: Manifest, tmp_path: Path) -> None:
    """Purchases, visits and tickets after the as-of date change no mart, bit for bit."""
    warehouse = tmp_path / "warehouse.duckdb"
    shutil.copy(sample_build.warehouse, warehouse)
    later = {
        "marts.fct_orders": "order_id || '-later' as order_id, ordered_date + 400 as ordered_date,"
        " ordered_at + interval 400 day as ordered_at",
        "marts.fct_order_lines": "order_line_id || '-later' as order_line_id, order_id || '-later' as order_id",
        "marts.fct_tickets": "ticket_id || '-later' as ticket_id, opened_at + interval 400 day as opened_at",
        "intermediate.int_web_event_sessions": "web_session_id || '-later' as web_session_id,"
        " event_at + interval 400 day as event_at",
    }
    since = {"marts.fct_tickets": "opened_at", "intermediate.int_web_event_sessions": "event_at"}
    with open_to_write(warehouse) as con:
        for name, changes in later.items():
            recent = f"{since.get(name, 'ordered_at')} > (select as_of_date from intermediate.int_event_horizon) - 390"
            con.execute(f"insert into {name} select * replace ({changes}) from {name} where {recent}")
    rerun = dbt_run_in_process(manifest, tmp_path, {}, MODELS)
    assert rerun.returncode == 0, rerun.output[-6000:]
    before, after = (table_hashes(build.warehouse, ("marts",)) for build in (sample_build, rerun))
    assert {mart: after[f"marts.{mart}"] for mart in MARTS} == {mart: before[f"marts.{mart}"] for mart in MARTS}


def test_marts_are_plain_and_finite(sample_build: Build) -> None:
    types = sample_build.query(f"""
        select distinct table_name, column_name, data_type from duckdb_columns()
        where schema_name = 'marts' and table_name in ({", ".join(repr(mart) for mart in MARTS)})
    """)
    assert {mart for mart, *_ in types} == set(MARTS)
    assert {kind for *_, kind in types} <= {"VARCHAR", "BIGINT", "INTEGER", "DOUBLE", "BOOLEAN", "DATE"}
    for mart, column, kind in types:
        if kind == "DOUBLE":
            (n_bad,) = sample_build.query(f'select count(*) from marts.{mart} where not isfinite("{column}")')[0]
            assert n_bad == 0, (mart, column)
