"""The state of the data as one page: ``crm report``."""

import json
from pathlib import Path
from typing import Any

import duckdb
import jinja2
import pandas as pd

from crm_mining.reporting import charts
from crm_mining.reporting.fault_report import false_alarm_share, fault_table
from crm_mining.warehouse import connection, masking

NEEDED = (
    "dq_runs", "dq_scores", "dq_scores_by_table", "dq_anomalies", "dq_test_results", "dq_repairs", "dq_rejected_rows",
    "pii_inventory",
)  # fmt: skip
NOTHING = "\N{EN DASH}"
N_SAMPLES = 2
N_LISTED = 12
NEWEST = "(select run_id from marts.dq_runs order by run_number desc limit 1)"
Rows = list[dict[str, Any]]

_TESTS = f"from marts.dq_test_results where run_id in ({NEWEST}, 'unknown')"
_COLUMNS = f"""
select
    source_table, column_name, dimension,
    max(score) filter (where stage = 'raw') as raw_score,
    max(score) filter (where stage = 'clean') as clean_score,
    max(n_failed) filter (where stage = 'clean') as n_failed
from marts.dq_scores
where run_id = {NEWEST} and dimension != 'truth'
group by all
having count(distinct stage) = 2
"""


def write_report(
    file: Path, page: Path, truth: Path | None = None, *, show_personal_data: bool = False
) -> pd.DataFrame | None:
    """Write the page.

    Parameters
    ----------
    file : Path
        The warehouse of a build.
    page : Path
        Where the page goes: one HTML file that loads nothing else.
    truth : Path, optional
        Truth folder of the synthetic world that was built, for the table of faults.
    show_personal_data : bool
        Show samples as they are. Otherwise they are masked as in published marts (:mod:`crm_mining.warehouse.masking`).

    Returns
    -------
    DataFrame or None
        The table of faults (:func:`crm_mining.reporting.fault_report.fault_table`); None without a truth.

    Raises
    ------
    FileNotFoundError
        When there is no warehouse, or no faults in the truth folder.
    ValueError
        When a mart is missing, or holds no run.
    """
    with connection.connect(file) as con:
        masking.prepare(con)
        content = _content(con, show_personal_data)
    faults = fault_table(file, truth) if truth else None
    content["faults"] = [] if faults is None else faults.astype(object).where(faults.notna(), None).to_dict("records")
    content["false_alarms"] = false_alarm_share(file, truth) if truth else None
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("crm_mining.reporting", ""), autoescape=True, trim_blocks=True, lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )  # fmt: skip
    environment.filters["percent"] = lambda share: NOTHING if share is None else f"{share:.2%}"
    environment.filters["count"] = lambda number: NOTHING if number is None else f"{int(number):,}"
    environment.globals["bar"] = charts.bar
    page.parent.mkdir(parents=True, exist_ok=True)
    page.write_text(environment.get_template("report.html.j2").render(content), encoding="utf-8")
    return faults


def _rows(con: duckdb.DuckDBPyConnection, sql: str) -> Rows:
    cursor = con.execute(sql)
    names = [column[0] for column in cursor.description or []]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def _content(con: duckdb.DuckDBPyConnection, show: bool) -> dict[str, Any]:
    """Read everything that the page shows, by the names that its template uses."""
    marts = {
        row["table_name"] for row in _rows(con, "select table_name from duckdb_tables() where schema_name = 'marts'")
    }
    missing = [name for name in NEEDED if name not in marts]
    if missing:
        raise ValueError(f"the warehouse lacks marts.{', marts.'.join(missing)}; run `make build` first")
    runs = _rows(con, "select * from marts.dq_runs order by run_number")
    if not runs:
        raise ValueError("marts.dq_runs holds no run; run `make build` first")
    return {
        "run": runs[-1],
        "n_runs": len(runs),
        **_scorecard(con),
        "trend": _trend(con),
        **_columns(con),
        "anomalies": _rows(
            con,
            f"select * from marts.dq_anomalies where run_id = {NEWEST} order by abs(deviations) desc, anomaly_id",
        ),
        "tests": _rows(con, f"select status, count(*) as n {_TESTS} group by all order by all"),
        "failing": _rows(con, f"select * {_TESTS} and status != 'pass' order by all"),
        "n_repairs": con.execute("select count(*) from marts.dq_repairs").fetchall()[0][0],
        "n_rejected": con.execute("select count(*) from marts.dq_rejected_rows").fetchall()[0][0],
        "repairs": _repairs(con, show),
        "rejects": _rejects(con, show),
        "issues": _issues(con, show) if "dq_issues" in marts else None,
        "show_personal_data": show,
    }


def _scorecard(con: duckdb.DuckDBPyConnection) -> dict[str, Any]:
    """Scores of the newest run by table and dimension, with a picture of those of all tables together."""
    scores = _rows(con, f"select * from marts.dq_scores_by_table where run_id = {NEWEST} order by all")
    of_all = {row["dimension"]: row for row in scores if row["source_table"] == "(all)"}
    dimensions = [name for name in of_all if name not in ("(all)", "truth")]
    shown = [name for name in (*dimensions, "(all)", "truth") if name in of_all]
    return {
        "total": of_all.get("(all)"),
        "picture": charts.dumbbells(
            [(name, of_all[name]["raw_score"], of_all[name]["clean_score"]) for name in shown],
            "Score of the raw and of the clean data, by dimension",
        ),
        "dimensions": [*dimensions, "(all)"],
        "tables": sorted({row["source_table"] for row in scores}, key=lambda name: (name == "(all)", name)),
        "scores": {(row["source_table"], row["dimension"]): row for row in scores},
    }


def _trend(con: duckdb.DuckDBPyConnection) -> Any:
    """Picture of the scores of all runs; None while there is one."""
    runs = _rows(
        con,
        "select scores.* from marts.dq_scores_by_table as scores "
        "where scores.source_table = '(all)' and scores.dimension = '(all)' order by run_number",
    )
    if len(runs) < 2:
        return None
    return charts.lines(
        [row["raw_score"] for row in runs], [row["clean_score"] for row in runs],
        [f"run {row['run_number']}, {row['as_of_date']}" for row in runs],
        "Score of the raw and of the clean data, run by run",
    )  # fmt: skip


def _columns(con: duckdb.DuckDBPyConnection) -> dict[str, Rows]:
    """Columns with the worst scores, and those that cleaning improved most."""
    columns = _rows(con, f"{_COLUMNS} order by clean_score, source_table, column_name, dimension")
    risen = sorted(
        columns,
        key=lambda row: (
            row["raw_score"] - row["clean_score"],
            row["source_table"],
            row["column_name"],
            row["dimension"],
        ),
    )
    return {
        "worst": [row for row in columns if row["clean_score"] < 1][:N_LISTED],
        "risen": [row for row in risen if row["clean_score"] > row["raw_score"]][:N_LISTED],
    }


def _shown(con: duckdb.DuckDBPyConnection, mart: str, show: bool) -> str:
    """Give the mart to read samples from: masked as it is published, unless persons may be shown."""
    return f"(from marts.{mart})" if show else f"({masking.masked(con, f'marts.{mart}')})"


def _repairs(con: duckdb.DuckDBPyConnection, show: bool) -> Rows:
    return _rows(
        con,
        f"select *, count(*) over (partition by rule) as n_repairs from {_shown(con, 'dq_repairs', show)} "
        "qualify row_number() over (partition by rule "
        f"order by source_table, source_key, column_name, old_value, new_value) <= {N_SAMPLES} "
        "order by n_repairs desc, rule, source_table, source_key, column_name, old_value, new_value",
    )


def _rejects(con: duckdb.DuckDBPyConnection, show: bool) -> Rows:
    rows = _rows(
        con,
        "select *, count(*) over (partition by rejection_reasons) as n_rejected "
        f"from {_shown(con, 'dq_rejected_rows', show)} "
        "qualify row_number() over (partition by rejection_reasons "
        "order by source_table, source_key, rejection_number, raw_record) = 1 "
        "order by n_rejected desc, rejection_reasons",
    )
    return [row | {"raw_record": _record(row["raw_record"])} for row in rows]


def _record(raw_record: str | None) -> str:
    """Give a raw row (JSON text) as `column: value` pairs."""
    fields = json.loads(raw_record or "{}")
    return "; ".join(f"{name}: {text}" for name, text in fields.items() if text is not None)


def _issues(con: duckdb.DuckDBPyConnection, show: bool) -> Rows:
    return _rows(
        con,
        "select source_table, column_name, rule, severity::varchar as severity, count(*) as n_issues, "
        "first(source_key order by source_key, value, expected) as source_key, "
        "first(value order by source_key, value, expected) as value, "
        "first(expected order by source_key, value, expected) as expected "
        f"from {_shown(con, 'dq_issues', show)} group by all "
        "order by n_issues desc, source_table, column_name, rule, severity",
    )


def known_truth(file: Path, folder: Path) -> Path | None:
    """Find the sample's truth, where the warehouse was built over a world with one."""
    if not file.is_file() or not any((folder / name).is_file() for name in ("faults.csv", "faults.parquet")):
        return None
    with connection.connect(file) as con:
        found = con.execute(
            "select estimated_size from duckdb_tables() where table_name = 'int_known_faults'"
        ).fetchall()
    return folder if found and found[0][0] else None
