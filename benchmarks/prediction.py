"""Scoring at scale: ``python benchmarks/prediction.py --customers 1000000`` prints seconds and the peak of memory.

Made-up customers with 40 features, three closed outcome windows and the day to score; fitted to a sample, scored in
batches, written to a DuckDB file as the warehouse does.
"""

import argparse
import resource
import tempfile
import time
from pathlib import Path

import duckdb

from crm_mining.prediction.tables import fit_from_tables, score_from_tables

N_NUMBERS, N_TEXTS = 36, 4
TARGETS = """select 'buys_90d' as target, 'classification' as kind, null::varchar as last_period,
    null::varchar as population"""


def make_customers(con: duckdb.DuckDBPyConnection, n: int) -> None:
    """Make the tables ``features`` and ``labels``, skewed numbers, gaps and words."""
    names = ["days_since_purchase", "n_orders", "order_amount", *(f"number_{i}" for i in range(3, N_NUMBERS))]
    uniform = "(hash(i, days.as_of_date, {0}) % 1000003 + 1) / 1000004.0"
    numbers = ", ".join(f"-ln({uniform.format(k)}) * {10 + k} as {name}" for k, name in enumerate(names))
    texts = ", ".join(f"'word ' || hash(i, {k}) % {3 + k} as text_{k}" for k in range(N_TEXTS))
    con.execute(f"""
        create table features as
        select printf('C%08d', i) as customer_id, days.as_of_date, {numbers}, {texts}
        from range({n}) as customers(i)
        inner join (select * from (values ('2024-01-01'::date), ('2024-03-31'::date), ('2024-06-29'::date),
            ('2024-09-27'::date)) as known(as_of_date)) as days
            on days.as_of_date = '2024-09-27' or i < 100000
    """)
    con.execute("""
        create table labels as
        select customer_id, as_of_date,
            hash(customer_id, as_of_date) % 1000
                < 400 * exp(-days_since_purchase / 10) + 20 * ln(1 + number_3) as buys_90d
        from features where as_of_date < '2024-09-27'
    """)


def main() -> None:
    """Fit, score, and say what it took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--customers", type=int, default=1_000_000)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, duckdb.connect(str(Path(folder) / "w.duckdb")) as con:
        con.execute("set memory_limit = '1GB'")
        make_customers(con, arguments.customers)
        targets = con.sql(TARGETS)
        words = con.sql("""select column_name as feature, replace(column_name, '_', ' ') as label
            from (describe features) where column_name not in ('customer_id', 'as_of_date')""")
        features = con.table("features")
        started = time.monotonic()
        con.register("arrow_fits", fit_from_tables(features, con.table("labels"), targets, words))
        con.execute("create table fits as from arrow_fits")
        fitted = time.monotonic()
        scores = score_from_tables(features, con.table("fits"), targets, words)  # noqa: F841 (DuckDB reads it by name)
        # By a cursor of its own, as dbt does it: the scores are read from the other one while they are written.
        con.cursor().execute("create table scored as from scores")
        done = time.monotonic()
        n = con.execute("select count(*) from scored").fetchall()[0][0]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{n:,} scored: fit {fitted - started:.0f} s, scores {done - fitted:.0f} s, peak {peak:,.0f} MiB")


if __name__ == "__main__":
    main()
