"""p_alive against the truth on worlds that nobody looked at: ``python benchmarks/alive.py --seeds 101 102 103``.

Straight from the generator's tables, each record with the person it is of, so that nothing but the model is measured:
as the model has it, and as who bought in the last half year taught it to be (``alive_slope``).
"""

import argparse
import tempfile
from datetime import date, timedelta
from pathlib import Path

import duckdb
import pandas as pd

from crm_mining.synth import Parameters, generate
from crm_mining.value.evaluation import evaluate_p_alive
from crm_mining.value.tables import ALIVE_SLOPE, CALIBRATION_DAYS, fit_value, score_value

DAYS = [date(2025, 5, 19), date(2025, 8, 17), date(2025, 10, 2), date(2025, 12, 31)]


def customers(world: Path, day: date) -> pd.DataFrame:
    """Read what was known of each buyer on a day, and whether the buyer had left by then."""
    before = day - timedelta(CALIBRATION_DAYS)
    return duckdb.sql(f"""
        with bought as (
            select distinct records.person_id, try_cast(orders.ordered_at as timestamp)::date as purchase_date
            from '{world}/raw/shop/orders.parquet' as orders
            inner join '{world}/truth/record_persons.parquet' as records
                on records.source_table = 'shop.customers' and records.source_key = orders.customer_id
            where coalesce(orders.order_type, 'sale') = 'sale' and orders.status is distinct from 'cancelled'
        ),

        known as (
            select *, min(purchase_date) over (partition by person_id) as first_date
            from bought
            where purchase_date <= date '{day}'
        )

        select
            known.person_id,
            count(*) - 1 as n_repeat_orders,
            max(purchase_date) - any_value(first_date) as recency_days,
            date '{day}' - any_value(first_date) as age_days,
            null::double as mean_repeat_amount,
            nullif(count(*) filter (where purchase_date <= date '{before}'), 0) - 1 as n_repeat_orders_before,
            max(purchase_date) filter (where purchase_date <= date '{before}') - any_value(first_date)
                as recency_days_before,
            coalesce(any_value(persons.dropped_out_on)::date > date '{day}', true) as is_alive
        from known
        inner join '{world}/truth/persons.parquet' as persons using (person_id)
        group by known.person_id
        order by known.person_id
    """).df()


def main() -> None:
    """Print calibration, Brier score and ROC area of each world and day, then the ranges."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[101, 102, 103, 104, 105])
    parser.add_argument("--customers", type=int, default=4000)
    arguments = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for seed in arguments.seeds:
            world = Path(folder) / str(seed)
            generate(Parameters(customers=arguments.customers, seed=seed), world, "parquet", show_progress=False)
            for day in DAYS:
                found = customers(world, day)
                terms = fit_value(found)
                for kind, used in (("bare", terms[terms["term"] != ALIVE_SLOPE]), ("taught", terms)):
                    alive = score_value(found, used, horizons=[])["p_alive"]
                    silence = found["age_days"] - found["recency_days"]
                    metrics = evaluate_p_alive(alive, found["is_alive"], -silence).set_index("metric")["value"]
                    rows.append({"seed": seed, "as_of_date": day, "p_alive": kind, **metrics})
            print(pd.DataFrame(rows[-2 * len(DAYS) :]).round(3).to_string(index=False), flush=True)
    every = pd.DataFrame(rows).drop(columns=["seed", "as_of_date"])
    print(every.groupby("p_alive").agg(["min", "median", "max"]).round(3).T.to_string())


if __name__ == "__main__":
    main()
