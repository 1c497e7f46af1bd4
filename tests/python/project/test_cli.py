"""The command `crm`: quick to answer, one sentence for what a user can mend."""

import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT, SAMPLE, Build

from crm_mining.cli import COMMANDS, main

CRM = Path(sys.executable).parent / "crm"
#: Each takes longer to import than the help may take.
SLOW = ("numpy", "pandas", "duckdb", "jinja2", "pyarrow")


def test_help_names_every_command_and_imports_nothing_slow() -> None:
    said = subprocess.run([CRM, "--help"], capture_output=True, text=True, check=True).stdout
    assert [name for name in COMMANDS if f"\n    {name} " not in said] == []
    asked = f"import sys, crm_mining.cli; sys.exit(','.join(set({SLOW}) & set(sys.modules)))"
    imported = subprocess.run([sys.executable, "-c", asked], cwd=ROOT, capture_output=True, text=True, check=False)
    assert imported.stderr.strip() == ""


@pytest.mark.parametrize("command", [[name] for name in COMMANDS] + [["backup", "prune"], ["publish", "rollback"]])
def test_every_command_has_help(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([*command, "--help"])
    assert ended.value.code == 0
    assert capsys.readouterr().out.startswith(f"usage: crm {' '.join(command)}")


@pytest.mark.parametrize("command", ["report", "export", "samples"])
def test_a_missing_warehouse_is_one_sentence(command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([command, "--warehouse", str(tmp_path / "none.duckdb"), "--out", str(tmp_path / "out")]) == 2
    said = capsys.readouterr()
    assert said.err == f"no warehouse at {tmp_path / 'none.duckdb'}; run `make build` first\n"
    assert said.out == ""


def test_a_missing_backup_and_nothing_published_are_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("CRM_PUBLISH", raising=False)
    warehouse = ["--warehouse", str(tmp_path / "warehouse.duckdb")]
    for command in (["backup", "restore", "--folder", str(tmp_path)], ["publish", "rollback"]):
        assert main([*command, *warehouse]) == 2
        assert capsys.readouterr().err.count("\n") == 1
    assert main(["publish", "list", *warehouse]) == 0


def test_an_unknown_command_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["repot"])
    assert ended.value.code == 2
    assert "invalid choice: 'repot'" in capsys.readouterr().err


def test_report_tells_the_faults_of_the_sample(
    sample_build: Build, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    places = ["--warehouse", str(sample_build.warehouse), "--out", str(tmp_path / "report.html")]
    assert main(["report", *places, "--truth", str(SAMPLE / "truth")]) == 0
    said = capsys.readouterr().out
    assert "values without a fault that were changed or lost:" in said
    assert said.endswith(f"The page: {tmp_path / 'report.html'}\n")
