"""Frequent itemsets: this project's miner beside mlxtend's apriori and fpgrowth, efficient-apriori, and one in SQL.

Every engine starts from one table of basket and item, in a process of its own, one after the other, and ends with its
itemsets and their counts, which must be equal to those of the first engine. Seconds are from the table to the counts,
without imports: of the processor (all cores), which is what counts on a machine that others use, and by the clock.
Memory is the most that the process held. efficient-apriori runs in an environment of its own, which this project does
not depend on.
"""

import argparse
import json
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import duckdb
from identity import run_measured
from identity_sets import PROJECT, REFERENCE_DATA

HOW_TO_GET_EFFICIENT_APRIORI = """\
efficient-apriori is not part of this project. Make an environment for it outside the repository, and name its Python:
    python3 -m venv ~/.cache/crm_itemsets
    ~/.cache/crm_itemsets/bin/python -m pip install efficient-apriori==2.0.6 duckdb==1.5.5
    … benchmarks/itemsets.py --efficient-python ~/.cache/crm_itemsets/bin/python"""

#: An engine that wants more memory, or more time, has lost.
MAX_BYTES = 8 * 2**30
MAX_SECONDS = 600

GROCERIES = """
select basket_id, unnest(string_split(line, ',')) as item_id
from (
    select row_number() over () as basket_id, line
    from read_csv(
        '{root}/groceries/groceries.csv', delim = '\\t', quote = '', header = false, columns = {{'line': 'varchar'}}
    )
)
"""

# Sales alone: credits are no baskets, and a code without a digit (POST, DOT, M) is no product.
ONLINE_RETAIL = """
select distinct "Invoice" as basket_id, "StockCode" as item_id
from '{root}/online_retail_ii/online_retail_ii.parquet'
where "Invoice" not like 'C%' and "Quantity" > 0 and regexp_matches("StockCode", '[0-9]')
"""

# 2,000 products of uneven popularity. In two baskets of five is one of 150 groups of products that go together, of
# which each product is taken with a chance of three in four; the others are drawn one by one.
WORLD = """
with baskets as (
    select
        basket_id,
        1 + floor(-5 * ln(1 - (hash(basket_id * 10 + 1) % 1000003) / 1000003.0))::bigint as n_items,
        hash(basket_id * 10 + 2) % 5 < 2 as has_group,
        floor(150 * pow((hash(basket_id * 10 + 3) % 1000003) / 1000003.0, 2))::bigint as group_number
    from (select unnest(range({n_baskets})) as basket_id)
),

drawn as (
    select basket_id, floor(2000 * pow((hash(basket_id * 1000 + place) % 1000003) / 1000003.0, 2.5))::bigint as item
    from (select basket_id, unnest(range(least(n_items, 60))) as place from baskets)
),

grouped as (
    select basket_id, hash(group_number * 100 + place) % 2000 as item
    from (select basket_id, group_number, unnest(range(3 + group_number % 4)) as place from baskets where has_group)
    where hash(basket_id * 1000 + 500 + place) % 4 > 0
)

select distinct 'B' || basket_id as basket_id, 'P' || item as item_id
from (from drawn union all from grouped)
"""


@dataclass(frozen=True)
class Task:
    """A table of baskets and what is looked for in it."""

    name: str
    sql: str
    min_support: float
    max_length: int


TASKS = [
    Task("groceries", GROCERIES, 0.006, 4),
    Task("groceries", GROCERIES, 0.001, 8),
    Task("online_retail_ii", ONLINE_RETAIL, 0.01, 4),
    Task("online_retail_ii", ONLINE_RETAIL, 0.005, 4),
    Task("world", WORLD.replace("{n_baskets}", "500000"), 0.005, 4),
    Task("world", WORLD.replace("{n_baskets}", "500000"), 0.001, 4),
]

#: An itemset as a text of its sorted items, and its count.
Found = Iterator[tuple[tuple[str, ...], int]]


def mine_ours(path: str, min_support: float, max_length: int) -> Callable[[], Found]:
    """Mine by crm_mining.baskets.itemsets."""
    from crm_mining.baskets.itemsets import frequent_itemsets, read_baskets

    lines = duckdb.connect().from_parquet(path)
    found = frequent_itemsets(read_baskets(lines), min_support=min_support, max_length=max_length)

    def results() -> Found:
        for items, counts in zip(found.items, found.counts, strict=True):
            for row, count in zip(items.tolist(), counts.tolist(), strict=True):
                yield tuple(sorted(found.item_ids[item] for item in row)), count

    return results


def _mine_mlxtend(name: str, path: str, min_support: float, max_length: int) -> Callable[[], Found]:
    """Mine by mlxtend, on a frame of the frequent items alone, which is kind to it."""
    import numpy as np
    import pandas as pd
    from mlxtend import frequent_patterns

    lines = duckdb.connect().from_parquet(path).df()
    n_baskets = lines["basket_id"].nunique()
    counts = lines["item_id"].value_counts()
    lines = lines[lines["item_id"].isin(counts[counts / n_baskets >= min_support].index)]
    basket, _ = pd.factorize(lines["basket_id"])
    item, names = pd.factorize(lines["item_id"])
    held = np.zeros((n_baskets, len(names)), dtype=bool)
    held[basket, item] = True
    # Not quite the support itself: fpgrowth rounds it up to a count in floating point.
    found = getattr(frequent_patterns, name)(
        pd.DataFrame(held, copy=False), min_support=min_support * (1 - 1e-9), max_len=max_length
    )

    def results() -> Found:
        for support, items in zip(found["support"], found["itemsets"], strict=True):
            yield tuple(sorted(names[item] for item in items)), round(support * n_baskets)

    return results


def mine_apriori(path: str, min_support: float, max_length: int) -> Callable[[], Found]:
    """Mine by mlxtend's apriori."""
    return _mine_mlxtend("apriori", path, min_support, max_length)


def mine_fpgrowth(path: str, min_support: float, max_length: int) -> Callable[[], Found]:
    """Mine by mlxtend's fpgrowth."""
    return _mine_mlxtend("fpgrowth", path, min_support, max_length)


def mine_efficient_apriori(path: str, min_support: float, max_length: int) -> Callable[[], Found]:
    """Mine by efficient-apriori."""
    from efficient_apriori import itemsets_from_transactions  # type: ignore[import-not-found]

    rows = duckdb.connect().execute(f"select list(item_id) from '{path}' group by basket_id").fetchall()
    found, _ = itemsets_from_transactions([tuple(row[0]) for row in rows], min_support, max_length=max_length)

    def results() -> Found:
        for of_length in found.values():
            for items, count in of_length.items():
                yield tuple(sorted(items)), count

    return results


def mine_sql(path: str, min_support: float, max_length: int) -> Callable[[], Found]:
    """Mine level by level in DuckDB: pairs by a join of the sparse table, more items by strings of bits."""
    con = duckdb.connect()
    con.execute(f"""
        create table numbered as
        select
            dense_rank() over (order by basket_id) - 1 as basket,
            dense_rank() over (order by item_id) as item,
            item_id
        from '{path}'
    """)
    n_baskets = con.execute("select count(distinct basket) from numbered").fetchall()[0][0]
    con.execute(
        f"create table names as select item, any_value(item_id) as item_id, count(*) as n from numbered "
        f"group by item having count(*) / {n_baskets} >= {min_support}"
    )
    con.execute("create table level1 as select item as item1, n from names")
    con.execute(f"""
        create table level2 as
        select a.item as item1, b.item as item2, count(*) as n
        from (from numbered semi join names using (item)) as a
        inner join (from numbered semi join names using (item)) as b on a.basket = b.basket and a.item < b.item
        group by all having count(*) / {n_baskets} >= {min_support}
    """)
    con.execute(f"""
        create table bits as
        select item, bitstring_agg(basket::integer, 0, {n_baskets - 1}) as held
        from numbered where item in (select item1 from level2 union select item2 from level2) group by item
    """)
    con.execute(
        "create table held2 as select item1, item2, left_bits.held & right_bits.held as held from level2 "
        "join bits as left_bits on item1 = left_bits.item join bits as right_bits on item2 = right_bits.item"
    )
    for k in range(3, max_length + 1):
        items = [f"item{i}" for i in range(1, k + 1)]
        same = " and ".join(f"a.{name} = b.{name}" for name in items[: k - 2]) or "true"
        con.execute(f"""
            create table held{k} as
            select
                {", ".join(f"a.{name}" for name in items[: k - 1])},
                b.item{k - 1} as item{k},
                a.held & bits.held as held
            from held{k - 1} as a
            inner join level{k - 1} as b on {same} and a.item{k - 1} < b.item{k - 1}
            inner join level2 on level2.item1 = a.item{k - 1} and level2.item2 = b.item{k - 1}
            inner join bits on bits.item = b.item{k - 1}
            where bit_count(a.held & bits.held) / {n_baskets} >= {min_support}
        """)
        con.execute(f"create table level{k} as select {', '.join(items)}, bit_count(held) as n from held{k}")
        con.execute(f"drop table held{k - 1}")

    def results() -> Found:
        names = dict(con.execute("select item, item_id from names").fetchall())
        for k in range(1, max_length + 1):
            for *row, count in con.execute(f"from level{k}").fetchall():
                yield tuple(sorted(names[item] for item in row)), count

    return results


ENGINES = {
    "ours": mine_ours,
    "sql": mine_sql,
    "fpgrowth": mine_fpgrowth,
    "apriori": mine_apriori,
    "efficient_apriori": mine_efficient_apriori,
}


def mine(engine: str, table: str, min_support: str, max_length: str, out: str) -> None:
    """Run one engine in this process; write what it found and print the seconds."""
    # An import is not the work, and mlxtend's takes longer than some of the work.
    if engine in ("apriori", "fpgrowth"):
        import mlxtend.frequent_patterns  # noqa: F401
    if engine == "ours":
        import pandas  # noqa: F401

        import crm_mining.baskets.itemsets  # noqa: F401
    started, started_cpu = time.perf_counter(), time.process_time()
    results = ENGINES[engine](table, float(min_support), int(max_length))
    seconds, cpu_seconds = time.perf_counter() - started, time.process_time() - started_cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    lines = sorted(f"{' + '.join(items)}\t{count}" for items, count in results())
    Path(out).write_text("\n".join(lines), encoding="utf-8")
    print(json.dumps({"seconds": seconds, "cpu_seconds": cpu_seconds, "peak_mib": peak, "n_itemsets": len(lines)}))


def measure(engine: str, python: str, task: Task, table: Path, out: Path) -> dict[str, float] | str:
    """Run one engine in a process of its own, within limits; a text says how it failed."""
    out.unlink(missing_ok=True)
    # The limit is set in the child by its shell, so that it can't touch this process.
    inner = [python, __file__, "--mine", engine, str(table), str(task.min_support), str(task.max_length), str(out)]
    limits = f'ulimit -v {MAX_BYTES // 1024} -t {MAX_SECONDS}; exec "$@"'
    try:
        output, _, _ = run_measured(["bash", "-c", limits, "bash", *inner], PYTHONPATH=str(PROJECT))
    except SystemExit as error:
        text = str(error)
        return "out of memory" if "emory" in text else f"over {MAX_SECONDS} s" if "Error" not in text else text[-300:]
    return dict(json.loads(output.splitlines()[-1]))


def main() -> None:
    """Measure what was asked for and print one Markdown row for each task and engine."""
    parser = argparse.ArgumentParser(description="Compare miners of frequent itemsets.")
    names = sorted({task.name for task in TASKS})
    parser.add_argument("--sets", nargs="+", default=names, choices=names)
    parser.add_argument("--engines", nargs="+", default=list(ENGINES), choices=list(ENGINES))
    parser.add_argument("--efficient-python", type=Path, help="Python of the environment that has efficient-apriori")
    parser.add_argument("--repeat", type=int, default=1, help="runs of each; the fastest counts")
    parser.add_argument("--mine", nargs=5, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.mine:
        mine(*arguments.mine)
        return
    if "efficient_apriori" in arguments.engines and arguments.efficient_python is None:
        parser.error(f"--efficient-python is missing (or leave out the engine)\n{HOW_TO_GET_EFFICIENT_APRIORI}")
    print("| set | baskets | support | longest | engine | itemsets | CPU s | times ours | s | MiB | equal |")
    print("| --- | ---: | ---: | ---: | --- | ---: | ---: | ---: | ---: | ---: | --- |")
    with tempfile.TemporaryDirectory(prefix="crm_itemsets_") as folder:
        for task in (task for task in TASKS if task.name in arguments.sets):
            table = Path(folder) / f"{task.name}.parquet"
            with duckdb.connect() as con:
                if not table.exists():
                    con.execute(f"copy ({task.sql.format(root=REFERENCE_DATA)}) to '{table}' (format parquet)")
                n_baskets = con.execute(f"select count(distinct basket_id) from '{table}'").fetchall()[0][0]
            expected, ours = "", 0.0
            for engine in arguments.engines:
                python = str(arguments.efficient_python) if engine == "efficient_apriori" else sys.executable
                out = Path(folder) / "found.txt"
                runs = [measure(engine, python, task, table, out) for _ in range(arguments.repeat)]
                start = f"| {task.name} | {n_baskets:,} | {task.min_support} | {task.max_length} | {engine} |"
                good = [run for run in runs if isinstance(run, dict)]
                if not good:
                    print(f"{start} | {runs[0]} | | | |", flush=True)
                    continue
                best = min(good, key=lambda run: run["cpu_seconds"])
                text = out.read_text(encoding="utf-8")
                expected, ours = expected or text, ours or best["cpu_seconds"]
                print(
                    f"{start} {best['n_itemsets']:,} | {best['cpu_seconds']:.2f} | {best['cpu_seconds'] / ours:.1f} | "
                    f"{best['seconds']:.1f} | {best['peak_mib']:,.0f} | {'yes' if text == expected else 'NO'} |",
                    flush=True,
                )


if __name__ == "__main__":
    main()
