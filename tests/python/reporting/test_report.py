"""The page says what the marts say, loads nothing, shows no person, and takes data for no markup."""

import re
import shutil
from pathlib import Path

import duckdb
import pytest
from conftest import SAMPLE, Build, open_to_write

from crm_mining.cli import main
from crm_mining.reporting.report import write_report

SECTIONS = ("scorecard", "trend", "worst", "improved", "anomalies", "tests", "repairs", "rejects", "faults")


@pytest.fixture(scope="module")
def page(sample_build: Build, tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("page") / "report.html"
    write_report(sample_build.warehouse, path, SAMPLE / "truth")
    return path.read_text(encoding="utf-8")


def test_page_has_all_sections_and_the_figures_of_the_marts(page: str, sample_build: Build) -> None:
    assert [name for name in SECTIONS if f'<section id="{name}">' not in page] == []
    for number in (
        "n_raw_rows from marts.dq_runs",
        "count(*) from marts.dq_repairs",
        "count(*) from marts.dq_rejected_rows",
    ):
        assert f"<dd>{sample_build.query(f'select {number}')[0][0]:,}</dd>" in page
    total = "source_table = '(all)' and dimension = '(all)'"
    (scores,) = sample_build.query(f"select raw_score, clean_score from marts.dq_scores_by_table where {total}")
    assert all(f"<dd>{score:.2%}</dd>" in page for score in scores)


def test_page_loads_nothing(page: str) -> None:
    assert re.findall(r"<(?:script|link|img|iframe|object)|@import|url[(]|https?://", page) == []


def test_page_shows_no_person_unless_asked(page: str, sample_build: Build, tmp_path: Path) -> None:
    write_report(sample_build.warehouse, tmp_path / "open.html", show_personal_data=True)
    shown = (tmp_path / "open.html").read_text(encoding="utf-8")
    addresses = r"[a-z0-9._%+-]*[a-wyz][a-z0-9._%+-]*@[a-z0-9.-]+"
    assert re.findall(addresses, shown)
    assert re.findall(addresses, page) == []
    names = sample_build.query("select distinct last_name from raw.crm_contacts where length(last_name) > 6")
    words = set(re.findall(r"[^\W\d_]+", page))
    assert {name for (name,) in names} & words == set()


def test_same_warehouse_gives_the_same_page(page: str, sample_build: Build, tmp_path: Path) -> None:
    write_report(sample_build.warehouse, tmp_path / "again.html", SAMPLE / "truth")
    assert (tmp_path / "again.html").read_text(encoding="utf-8") == page


def test_hostile_text_is_text_and_later_runs_make_a_trend(sample_build: Build, tmp_path: Path) -> None:
    warehouse = tmp_path / "warehouse.duckdb"
    shutil.copy(sample_build.warehouse, warehouse)
    hostile = "<script>alert(1)</script>"
    with open_to_write(warehouse) as con:
        con.execute(
            "insert into marts.dq_repairs values ('shop.products', '0', 'product_name', ?, ?, ?)", [hostile] * 3
        )
        con.execute("insert into marts.dq_runs select 'later', 2, as_of_date + 1, n_raw_rows from marts.dq_runs")
        con.execute(
            "insert into marts.dq_scores_by_table select * replace ('later' as run_id, 2 as run_number) "
            "from marts.dq_scores_by_table"
        )
    write_report(warehouse, tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "<script" not in page
    assert page.count("&lt;script&gt;alert(1)") == 3
    assert "<polyline" in page
    assert "One run so far" not in page
    assert '<section id="faults">' not in page


def test_without_a_warehouse_or_a_mart_one_sentence_says_what_to_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    warehouse = tmp_path / "warehouse.duckdb"
    for expected in ("no warehouse at", "the warehouse lacks marts.dq_runs"):
        assert main(["report", "--warehouse", str(warehouse), "--out", str(tmp_path / "report.html")]) == 2
        error = capsys.readouterr().err
        assert error.startswith(expected)
        assert error.count("\n") == 1
        duckdb.connect(str(warehouse)).close()
