"""The unit tests of the SQL models: every build leaves them out, since they judge code on invented rows and no data."""

import shutil
from pathlib import Path

from conftest import Build, dbt_run_in_process
from dbt.contracts.graph.manifest import Manifest


def test_the_unit_tests_of_dbt_pass(manifest: Manifest, sample_build: Build, tmp_path: Path) -> None:
    shutil.copy(
        sample_build.warehouse, tmp_path / "warehouse.duckdb"
    )  # the tables say which types the invented rows have
    assert len(manifest.unit_tests) > 30
    tested = dbt_run_in_process(manifest, tmp_path, {}, "test_type:unit", command="test")
    assert tested.returncode == 0, tested.output[-5000:]
