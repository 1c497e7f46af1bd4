"""Cleaning, matching, predictions on worlds that nobody looked at: ``benchmarks/worlds.py --seeds 101 102 103``.

Each seed is a world of crm_mining.synth, built by the dbt models as they are and held against its truth.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pandas as pd

from crm_mining.fault_report import false_alarm_share, fault_table
from crm_mining.synth import Parameters, generate
from crm_mining.warehouse import connect

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


def main() -> None:
    """Build all worlds and print the summed fault table, each world's matching and its predictions."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[101, 102, 103, 104, 105])
    parser.add_argument("--customers", type=int, default=4000)
    parser.add_argument("--warehouse", type=Path, help="print the predictions of this one, and build nothing")
    arguments = parser.parse_args()
    if arguments.warehouse is not None:
        print(predictions(arguments.warehouse).round(3).to_string(index=False))
        return
    tables, matching, alarms, predicted = [], [], [], []
    with tempfile.TemporaryDirectory() as folder:
        for number, seed in enumerate(arguments.seeds, start=1):
            print(f"world {number} of {len(arguments.seeds)}: seed {seed}", file=sys.stderr)
            world = Path(folder) / str(seed)
            generate(Parameters(customers=arguments.customers, seed=seed), world, show_progress=False)
            warehouse = build(world)
            tables.append(fault_table(warehouse, world / "truth"))
            alarms.append(false_alarm_share(warehouse, world / "truth"))
            predicted.append(predictions(warehouse).assign(seed=seed))
            with connect(warehouse) as con:
                metrics = con.execute("from marts.model_metrics where metric in ('pairwise_f1', 'bcubed_f1')").df()
            matching.append(metrics.assign(seed=seed))
    summed = pd.concat(tables).groupby("kind")[COUNTS].sum()
    shares = summed[["caught", "rightly_repaired"]].div(summed["visible"].where(summed["visible"] > 0), axis=0)
    print(summed.join(shares.round(3).add_suffix("_share")).to_string())
    print("values without a fault that were changed or lost:", ", ".join(f"{share:.4%}" for share in alarms))
    wide = pd.concat(matching).pivot_table(index="seed", columns=["metric", "model"], values="value")
    print(wide.round(4).to_string())
    print(pd.concat(predicted).sort_values(["target", "seed"]).round(3).to_string(index=False))


if __name__ == "__main__":
    main()
