"""The order of the raw rows and the number of threads leave no trace in any mart."""

from pathlib import Path

import duckdb
from conftest import SAMPLE, Build, dbt_build, table_hashes


def _shuffle(raw: Path, out: Path, seed: int) -> None:
    """Write every raw table with its rows in another order."""
    with duckdb.connect() as con:
        for file in sorted(raw.glob("*/*.csv")):
            target = out / file.relative_to(raw)
            target.parent.mkdir(parents=True, exist_ok=True)
            con.execute(
                f"""copy (
                    select * exclude (n)
                    from (select *, row_number() over () as n from read_csv('{file}', all_varchar=true))
                    order by hash(n + {seed})
                ) to '{target}' (header)"""
            )


def test_shuffled_input_with_four_threads_gives_the_marts_of_two(sample_build: Build, tmp_path: Path) -> None:
    expected = table_hashes(sample_build.warehouse, ("marts",))
    del expected["marts.dq_test_results"]  # of the tests that ran: here none; test_dq_test_results.py looks at it
    assert len(expected) >= 12
    raw = tmp_path / "raw"
    _shuffle(SAMPLE / "raw", raw, 1)
    build = dbt_build(
        tmp_path,
        {"raw_location": str(raw), "truth_location": str(SAMPLE / "truth")},
        arguments=["--threads", "4", "--resource-type", "model", "--resource-type", "seed"],
    )
    found = table_hashes(build.warehouse, ("marts",))
    assert {name for name in expected if found.get(name) != expected[name]} == set()
