"""Command line of the generator: `python -m crm_mining.synth --customers 4000 --seed 7 --out DIR`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from crm_mining.synth.world import Parameters, generate
from crm_mining.synth.writer import FORMATS


def main(arguments: list[str] | None = None) -> int:
    """Read the command line, write the world, and return the exit code."""
    usual = Parameters()
    parser = argparse.ArgumentParser(
        prog="python -m crm_mining.synth", description="Write a synthetic CRM world and its truth."
    )
    parser.add_argument(
        "--customers", type=int, default=usual.customers, help="number of persons (default %(default)s)"
    )
    parser.add_argument("--seed", type=int, default=usual.seed, help="whole number from 0 (default %(default)s)")
    parser.add_argument("--out", type=Path, required=True, help="directory to write raw/ and truth/ into")
    parser.add_argument("--format", choices=FORMATS, default="csv", help="kind of files (default %(default)s)")
    parser.add_argument(
        "--activity", type=float, default=usual.activity, help="factor of all order rates (default %(default)s)"
    )
    parser.add_argument(
        "--fault-rate",
        type=float,
        default=usual.fault_rate,
        help="share of faulty person records (default %(default)s)",
    )
    given = parser.parse_args(arguments)
    try:
        parameters = Parameters(given.customers, given.seed, given.activity, given.fault_rate)
        generate(parameters, given.out, given.format)
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
