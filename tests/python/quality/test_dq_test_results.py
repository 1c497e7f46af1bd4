"""What the tests said is data: a failed one leads to its failing rows, a mended one passes, nothing counts twice."""

import shutil
from pathlib import Path

import pytest
from conftest import Build, dbt_run_in_process, open_to_write
from dbt.contracts.graph.manifest import Manifest

OF_RATES = (
    "select test_name, status, n_failures, failures_table from marts.dq_test_results "
    "where table_name = 'intermediate.int_exchange_rates' order by all"
)


@pytest.fixture
def folder(sample_build: Build, tmp_path: Path) -> Path:
    """Copy the sample's warehouse, to be broken."""
    shutil.copy(sample_build.warehouse, tmp_path / "warehouse.duckdb")
    return tmp_path


def _change(folder: Path, sql: str) -> None:
    with open_to_write(folder / "warehouse.duckdb") as con:
        con.execute(sql)


def _test(manifest: Manifest, folder: Path, selection: str = "int_exchange_rates") -> Build:
    return dbt_run_in_process(manifest, folder, {}, selection, command="test")


def test_a_build_records_each_test_once(sample_build: Build) -> None:
    counts = (
        "select count(*), count(distinct test_name), count(*) filter (where status = 'pass' and failures_table is null)"
    )
    rows, names, passed = sample_build.query(f"{counts} from marts.dq_test_results")[0]
    assert rows == names == passed > 300
    assert sample_build.query(
        "select count(*) from marts.dq_test_results where run_id not in (select run_id from marts.dq_runs)"
    ) == [(0,)]


def test_failing_rows_are_found_and_gone_when_mended(manifest: Manifest, folder: Path) -> None:
    _change(folder, "create table intermediate.kept as from intermediate.int_exchange_rates")
    _change(folder, "insert into intermediate.int_exchange_rates from intermediate.kept order by all limit 3")
    _change(folder, "insert into intermediate.int_exchange_rates (currency, valid_from) values ('XXX', '2020-01-01')")
    for _ in range(2):  # a second time changes nothing
        build = _test(manifest, folder)
        assert build.returncode == 1
        ((_, n_failures, place),) = [row[1:] for row in build.query(OF_RATES) if row[1] == "fail"]
        assert n_failures == 4
        problems = f"select problem, count(*), any_value(currency) from {place} group by all order by all"
        assert [row[:2] for row in build.query(problems)] == [("key repeated", 3), ("value missing", 1)]
        assert build.query(problems)[1][2] == "XXX"
    assert len(build.query("select test_name from marts.dq_test_results group by all having count(*) > 1")) == 0

    _change(folder, "create or replace table intermediate.int_exchange_rates as from intermediate.kept")
    build = _test(manifest, folder)
    assert {(status, n, place) for _, status, n, place in build.query(OF_RATES)} == {("pass", 0, None)}
    assert build.query("select * from duckdb_tables() where schema_name = 'test_failures'") == []


def test_only_tests_that_ran_change_and_other_runs_stay(manifest: Manifest, folder: Path) -> None:
    everything = "from marts.dq_test_results where run_id != 'later' order by all"
    before = Build(folder / "warehouse.duckdb", 0, "").query(everything)
    _change(folder, "update intermediate.int_quality_run set run_id = 'later'")
    build = _test(manifest, folder, "dim_products")
    assert build.query(everything) == before
    later = build.query("select distinct table_name from marts.dq_test_results where run_id = 'later' order by all")
    assert later == [("marts.dim_products",), ("marts.fct_order_lines",)]  # the latter's relationship to the former
    assert dbt_run_in_process(manifest, folder, {}, "dq_test_results").returncode == 0
    assert build.query(everything) == before


def test_results_of_a_build_that_fails_before_its_data_is_measured_belong_to_no_run(
    manifest: Manifest, folder: Path
) -> None:
    _change(folder, "update intermediate.int_quality_run set run_id = null")
    unknown = "select count(*) from marts.dq_test_results where run_id = 'unknown'"
    assert _test(manifest, folder).query(unknown)[0][0] > 0
    _change(folder, "update intermediate.int_quality_run set run_id = 'known'")
    assert _test(manifest, folder).query(unknown) == [(0,)]
