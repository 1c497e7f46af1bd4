"""All that is measured, on worlds that nobody looked at: ``benchmarks/worlds.py --seeds 101 102 103``.

Each seed is a world of crm_mining.synth, built by the dbt models as they are and compared with its truth.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pandas as pd

from crm_mining.reporting.fault_report import false_alarm_share, fault_table
from crm_mining.synth import Parameters, generate
from crm_mining.warehouse.connection import connect

ROOT = Path(__file__).resolve().parents[1]
COUNTS = ["injected", "visible", "caught", "rightly_repaired", "false_alarms"]


def build(world: Path) -> Path:
    """Run the warehouse on a world and return its file."""
    warehouse = world / "warehouse.duckdb"
    places = {"CRM_WAREHOUSE": str(warehouse), "DBT_PROJECT_DIR": str(ROOT), "DBT_PROFILES_DIR": str(ROOT)}
    command = [
        str(Path(sys.executable).parent / "dbt"), "build", "--quiet", "--resource-type", "model",
        "--resource-type", "seed", "--target-path", str(world / "target"), "--log-path", str(world / "logs"),
        "--vars", json.dumps({"raw_location": str(world / "raw")}),
    ]  # fmt: skip
    subprocess.run(command, cwd=ROOT, env={**os.environ, **places}, check=True)
    return warehouse


def predictions(warehouse: Path) -> pd.DataFrame:
    """Say of each target how the model that predicts did on the hold-out, beside the best baseline."""
    with connect(warehouse) as con:
        return con.execute("""
            with ranking as (
                from marts.model_metrics
                where split = 'holdout' and metric in ('roc_auc', 'rmse')
            ),

            slopes as (
                from marts.model_metrics
                where split = 'holdout' and metric = 'calibration_slope'
            )

            select
                models.target,
                max(models.model) filter (where models.is_champion) as champion,
                max(models.model) filter (where models.is_baseline) as baseline,
                max(ranking.metric) as metric,
                max(ranking.value) filter (where models.is_champion) as value,
                max(ranking.interval_low) filter (where models.is_champion) as low,
                max(ranking.interval_high) filter (where models.is_champion) as high,
                max(ranking.value) filter (where models.is_baseline) as baseline_value,
                max(ranking.interval_low) filter (where models.is_baseline) as baseline_low,
                max(ranking.interval_high) filter (where models.is_baseline) as baseline_high,
                max(slopes.value) filter (where models.is_champion) as slope,
                max(slopes.interval_low) filter (where models.is_champion) as slope_low,
                max(slopes.interval_high) filter (where models.is_champion) as slope_high,
                max(models.model) filter (where models.is_used) as used,
                max(models.status) as status
            from marts.prediction_models as models
            left join ranking on models.target = ranking.target and models.model = ranking.model
            left join slopes on models.target = slopes.target and models.model = slopes.model
            group by models.target
            order by models.target
        """).df()


def lives(warehouse: Path) -> pd.DataFrame:
    """Say in one row how near the life cycle is to the planted one, and how often the state is right."""
    with connect(warehouse) as con:
        return con.execute("""
            select
                max(value) filter (where metric = 'max_error') as greatest_error,
                max(value) filter (where metric = 'mean_error') as mean_error,
                max(value) filter (where target = 'state' and metric = 'accuracy') as right_in_hindsight,
                max(value) filter (where target = 'state_then' and metric = 'accuracy') as right_then,
                max(baseline) filter (where target = 'state' and metric = 'accuracy') as best_rule,
                (
                    select string_agg(subject, ', ' order by value)
                    from marts.lifecycle_terms
                    where term = 'state_number'
                ) as states
            from marts.model_metrics
            where model = 'customer_lifecycle'
        """).df()


def segments(warehouse: Path) -> pd.DataFrame:
    """Say of each clustering how many kept their segment at the last as-of date, and how well needs are recognised."""
    with connect(warehouse) as con:
        return con.execute("""
            with last as (
                from marts.model_metrics
                where model in ('customer_segments', 'baseline_naive_refit')
                qualify split = max(split) over ()
            ),

            names as (
                select
                    clustering || '_segment' as target,
                    count(distinct segment) as n_segments,
                    string_agg(distinct segment_name, ', ' order by segment_name) as segment_names
                from marts.segment_terms
                where feature != ''
                group by clustering
            )

            select
                last.target,
                max(names.n_segments) as n_segments,
                max(value) filter (where metric = 'share_kept' and model = 'customer_segments') as kept,
                max(baseline) filter (where metric = 'share_kept') as kept_fixed,
                max(value) filter (where metric = 'share_kept' and model = 'baseline_naive_refit') as kept_naive,
                max(value) filter (where metric = 'adjusted_rand_index') as rand_index,
                max(baseline) filter (where metric = 'adjusted_rand_index') as rand_index_of_rule,
                max(names.segment_names) as segment_names
            from last
            inner join names on last.target = names.target
            group by last.target
            order by last.target
        """).df()


def mined(warehouse: Path) -> list[pd.DataFrame]:
    """Collect what print_mined shows of a world."""
    return [predictions(warehouse), lives(warehouse), segments(warehouse)]


def print_mined(mined_of: dict[str, list[pd.DataFrame]]) -> None:
    """Print predictions, lives and segments, each with all worlds below one another."""
    for tables in zip(*mined_of.values(), strict=True):
        table = pd.concat([table.assign(world=world) for table, world in zip(tables, mined_of, strict=True)])
        by = ["target", "world"] if "target" in table else ["world"]
        print(table.sort_values(by).round(3).to_string(index=False))


def main() -> None:
    """Build all worlds and print the summed fault table, each world's matching and what was mined of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[101, 102, 103, 104, 105])
    parser.add_argument("--customers", type=int, default=4000)
    parser.add_argument("--warehouse", type=Path, nargs="+", help="print all but faults of these, and build nothing")
    arguments = parser.parse_args()
    if arguments.warehouse is not None:
        print_mined({warehouse.stem: mined(warehouse) for warehouse in arguments.warehouse})
        return
    tables, matching, alarms, mined_of = [], [], [], {}
    with tempfile.TemporaryDirectory() as folder:
        for number, seed in enumerate(arguments.seeds, start=1):
            print(f"world {number} of {len(arguments.seeds)}: seed {seed}", file=sys.stderr)
            world = Path(folder) / str(seed)
            generate(Parameters(customers=arguments.customers, seed=seed), world, show_progress=False)
            warehouse = build(world)
            tables.append(fault_table(warehouse, world / "truth"))
            alarms.append(false_alarm_share(warehouse, world / "truth"))
            mined_of[str(seed)] = mined(warehouse)
            with connect(warehouse) as con:
                metrics = con.execute("from marts.model_metrics where metric in ('pairwise_f1', 'bcubed_f1')").df()
            matching.append(metrics.assign(seed=seed))
    summed = pd.concat(tables).groupby("kind")[COUNTS].sum()
    shares = summed[["caught", "rightly_repaired"]].div(summed["visible"].where(summed["visible"] > 0), axis=0)
    print(summed.join(shares.round(3).add_suffix("_share")).to_string())
    print("values without a fault that were changed or lost:", ", ".join(f"{share:.4%}" for share in alarms))
    wide = pd.concat(matching).pivot_table(index="seed", columns=["metric", "model"], values="value")
    print(wide.round(4).to_string())
    print_mined(mined_of)


if __name__ == "__main__":
    main()
