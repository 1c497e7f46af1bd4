"""How long the life cycle takes on many customers: ``python benchmarks/lifecycle.py --customers 100000 --months 36``.

Customers are drawn from the chain that crm_mining.synth plants, all of them entering within the first half of the time.
With ``--customers 4000 --draws 20`` it says how near transitions come where only chance is in the way.
"""

import argparse
import time
from datetime import date

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa

from crm_mining.lifecycle.chain import fit_chain
from crm_mining.lifecycle.tables import chain_from_terms, decode_from_tables, fit_from_tables
from crm_mining.synth.lifecycle import ORDER_RATES, TRANSITIONS


def draw_months(n: int, n_months: int, seed: int) -> pd.DataFrame:
    """Draw the months of n customers, with orders and nothing else."""
    draw = np.random.default_rng(seed)
    entry = draw.integers(0, n_months // 2, n)
    state = np.full(n, -1)
    cumulative = TRANSITIONS.cumsum(axis=1)
    parts = []
    for month in range(n_months):
        moved = (draw.random(n)[:, None] >= cumulative[state]).sum(axis=1)
        state = np.where(state >= 0, np.minimum(moved, len(TRANSITIONS) - 1), state)
        state[entry == month] = 0
        here = np.flatnonzero(state >= 0)
        orders = draw.poisson(ORDER_RATES[state[here]])
        parts.append(
            pd.DataFrame({"who": here, "position": month, "month_number": month - entry[here], "n_orders": orders})
        )
    frame = pd.concat(parts, ignore_index=True).sort_values(["who", "position"], ignore_index=True)
    first = [pd.Timestamp(2023 + m // 12, m % 12 + 1, 1) for m in range(n_months)]
    zeros = dict.fromkeys(["n_browsing_visits", "n_tickets", "n_responses"], 0)
    exposures = dict.fromkeys(["visits_exposure", "tickets_exposure", "responses_exposure"], 0.0)
    return pd.DataFrame(
        {
            "customer_id": "C" + frame["who"].astype("str").str.zfill(8),
            "month": np.array(first, dtype="datetime64[us]")[frame["position"]],
            "month_number": frame["month_number"],
            "n_orders": frame["n_orders"],
        }
    ).assign(is_entry_seen=True, as_of_date=date(2025, 12, 31), orders_exposure=1.0, **zeros, **exposures)


def print_errors(n: int, n_months: int, seeds: range) -> None:
    """Print the greatest error of a transition in each draw, the planted number of states being known."""
    n_states = len(TRANSITIONS)
    chains = [fit_chain(draw_months(n, n_months, seed), (n_states, n_states)) for seed in seeds]
    errors = np.array([np.abs(chain.transitions - TRANSITIONS).max() for chain in chains])
    print(f"{len(errors)} draws of {n:,} customers over {n_months} months, greatest error of a transition:")
    print(", ".join(f"{error:.3f}" for error in errors))
    print(f"mean {errors.mean():.3f}, above 0.05 in {np.mean(errors > 0.05):.0%}")


def main() -> None:
    """Print seconds to fit and to decode, and how far the transitions are from the planted ones."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--customers", type=int, default=100_000)
    parser.add_argument("--months", type=int, default=36)
    parser.add_argument("--sample-customers", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--draws", type=int, default=0, help="fit n draws and time nothing")
    arguments = parser.parse_args()
    if arguments.draws > 0:
        seeds = range(arguments.seed, arguments.seed + arguments.draws)
        print_errors(arguments.customers, arguments.months, seeds)
        return
    months = pa.Table.from_pandas(
        draw_months(arguments.customers, arguments.months, arguments.seed), preserve_index=False
    )
    with duckdb.connect() as con:
        con.register("drawn", months)
        con.execute("create table months as select * replace (month::date as month) from drawn")
        started = time.monotonic()
        terms = fit_from_tables(con.table("months"), sample_customers=arguments.sample_customers)
        fitted = time.monotonic()
        con.register("terms", terms)
        con.execute("create table fitted as select * from terms")
        reader = decode_from_tables(con.table("months"), con.table("fitted"))
        n_rows = sum(batch.num_rows for batch in reader)
        done = time.monotonic()
    chain = chain_from_terms(terms.to_pandas())
    print(
        f"{arguments.customers:,} customers, {n_rows:,} months: "
        f"fit {fitted - started:.1f} s, decode {done - fitted:.1f} s"
    )
    print(f"states: {', '.join(chain.states)}; {chain.n_steps} steps, {chain.status}")
    if len(chain.states) == len(TRANSITIONS):
        print(f"greatest error of a transition: {np.abs(chain.transitions - TRANSITIONS).max():.3f}")


if __name__ == "__main__":
    main()
