"""Print how well the cleaning met the known faults: ``python -m crm_mining.report``."""

import argparse
import os
import sys
from pathlib import Path

import pandas as pd

from crm_mining.fault_report import false_alarm_share, fault_table


def main() -> None:
    """Read the arguments, print the table."""
    parser = argparse.ArgumentParser(prog="python -m crm_mining.report", description=__doc__)
    parser.add_argument("--warehouse", type=Path, default=Path(os.environ.get("CRM_WAREHOUSE", "warehouse.duckdb")))
    parser.add_argument("--truth", type=Path, default=Path("seeds/sample/truth"))
    arguments = parser.parse_args()
    try:
        table = fault_table(arguments.warehouse, arguments.truth)
        alarms = false_alarm_share(arguments.warehouse, arguments.truth)
    except FileNotFoundError as error:
        sys.exit(str(error))
    shown = table.assign(
        caught_share=table["caught_share"].map(_percent), right_share=table["right_share"].map(_percent)
    ).rename(columns=lambda name: name.replace("_", " "))
    with pd.option_context("display.width", 200, "display.max_rows", 100):
        print(shown.to_string(index=False))
    print(f"\nvalues without a fault that were changed or lost: {alarms:.4%}")
    print("visible: what the delivered data itself can show. Shares are of the visible ones.")


def _percent(share: float) -> str:
    return "" if pd.isna(share) else f"{share:.1%}"


if __name__ == "__main__":
    main()
