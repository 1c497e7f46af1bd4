"""Identity resolution on person records with a known truth: this warehouse and Splink 5 side by side, as one table.

The warehouse is built as a user builds it, with ``dbt build``. Splink gets the same records as the warehouse cleaned
them, so that both compare the same values, and a model of its own over the same attributes. Neither sees the truth, and
Splink's threshold is fixed. Splink runs in an environment of its own, which this project does not depend on.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
from identity_sets import PROJECT, REFERENCES, IdentitySet, prepare

# What Splink does too: from the clean records to the groups. The golden record is made after that.
MATCHING = ["+int_customer_clusters,identity"]
# From the raw tables to the customers; what is mined of them afterwards is not compared with anything here.
CUSTOMERS = ["+dim_customers", "+customer_sources"]
HOW_TO_GET_SPLINK = """\
Splink is not part of this project. Make an environment for it outside the repository, and name its Python:
    python3 -m venv ~/.cache/crm_splink
    ~/.cache/crm_splink/bin/python -m pip install splink==5.0.0 duckdb
    … benchmarks/identity.py --splink-python ~/.cache/crm_splink/bin/python"""

# The records as Splink gets them. Attributes that the cleaning estimated for a gap (gender, language) are not compared.
EXPORT = """
copy (
    select
        record_id, source_table, source_key, first_name, last_name, birth_date::varchar as birth_date,
        email, phone, mobile,
        list_distinct(list_filter([mobile, phone], number -> number is not null)) as phones,
        street, street_number, city, postcode, company, national_id, loyalty_id
    from intermediate.int_person_records_cleaned
    order by record_id
) to '{path}' (format parquet)
"""

# A record that was rejected is in no customer: it counts as one of its own, so that what was lost shows as lost.
LABELS = """
select
    truth.source_table || ':' || truth.source_key as record_id,
    coalesce(found.customer_id, 'none:' || truth.source_table || ':' || truth.source_key) as customer_id,
    truth.person_id
from {truth} as truth
left join {found} as found
    on found.source_table = truth.source_table and found.source_key = truth.source_key
"""

# Splink's model. Blocking rules are lists of columns or expressions that two records must share. Wide rules lose fewest
# true pairs; on larger files a first name or a city alone would give billions of pairs.
MAX_WIDE_RECORDS = 20_000
SHARP_RULES = [
    ["email"], ["phone"], ["mobile"], ["national_id"], ["loyalty_id"],
    ["first_name", "last_name"], ["last_name", "first_name[1]", "city"], ["first_name", "birth_date"],
    ["last_name", "birth_date"], ["first_name", "postcode"], ["last_name", "postcode"], ["birth_date", "postcode"],
    ["street", "street_number", "postcode"],
]  # fmt: skip
# On a million records the rules above gave Splink more pairs than it could handle: it took half an hour and 20 GiB.
MAX_SHARP_RECORDS = 300_000
SHARPEST_RULES = [
    ["email"], ["phone"], ["mobile"], ["national_id"], ["loyalty_id"],
    ["first_name", "last_name", "birth_date"], ["first_name", "last_name", "postcode"],
    ["first_name", "last_name", "city"], ["first_name", "street", "street_number"], ["last_name", "birth_date"],
]  # fmt: skip
WIDE_RULES = [
    ["first_name"], ["last_name"], ["birth_date"], ["email"], ["phone"], ["mobile"], ["national_id"], ["loyalty_id"],
    ["postcode"], ["street"], ["city", "first_name[1]"], ["city", "last_name[1]"], ["split_part(email, '@', 1)"],
    ["substr(birth_date, 1, 7)", "first_name[1]"], ["substr(birth_date, 1, 4)", "last_name[1]"],
]  # fmt: skip
# For estimating how many pairs match: hardly any pair that these find is of two people, and they find about this share.
SURE_RULES = [["first_name", "last_name", "birth_date"], ["email"], ["national_id"]]
SURE_RECALL = 0.7
TRAINING_RULES = [["birth_date"], ["first_name", "last_name"], ["postcode"], ["email"]]
U_PAIRS = 1e6  # as many as the warehouse draws; ten times as many double Splink's time and change no F1 by 0.001
THRESHOLD = 0.95
# What nobody can know without the truth: which of these would have been best.
ORACLE_THRESHOLDS = [0.2, 0.35, 0.5, 0.7, 0.85, 0.95, 0.99, 0.999, 0.9999, 0.99999, 0.999999]


@dataclass(frozen=True)
class Result:
    """What one system made of one set.

    Parameters
    ----------
    metrics : dict
        ``metric`` to ``value`` of :func:`crm_mining.evaluation.clusters.cluster_metrics`.
    seconds : float
        Of identity resolution alone.
    whole_seconds : float
        Wall time of the process.
    peak_mib : float
        Most memory the process and its children held at one time.
    oracle_f1 : float, optional
        Pairwise F1 at the best of ``ORACLE_THRESHOLDS``, chosen with the truth in sight.
    """

    metrics: dict[str, float]
    seconds: float
    whole_seconds: float
    peak_mib: float
    oracle_f1: float | None = None


class PeakMemory(threading.Thread):
    """Follow the resident memory of a process and its descendants, by Linux's /proc, until the process ends."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        super().__init__(daemon=True)
        self.process = process
        self.peak_mib = 0.0 if Path("/proc/self/statm").exists() else float("nan")

    def run(self) -> None:
        """Look twenty times a second."""
        page_mib = os.sysconf("SC_PAGE_SIZE") / 2**20
        while self.process.poll() is None and self.peak_mib == self.peak_mib:
            parents: dict[int, int] = {}
            pages: dict[int, int] = {}
            for folder in Path("/proc").glob("[0-9]*"):
                try:
                    stat = (folder / "stat").read_text()
                    pages[int(folder.name)] = int((folder / "statm").read_text().split()[1])
                except OSError:  # ended meanwhile
                    continue
                parents[int(folder.name)] = int(stat.rpartition(")")[2].split()[1])
            family = {self.process.pid}
            while grown := {child for child, parent in parents.items() if parent in family} - family:
                family |= grown
            self.peak_mib = max(self.peak_mib, page_mib * sum(pages.get(pid, 0) for pid in family))
            time.sleep(0.05)


def run_measured(command: list[str], **environment: str) -> tuple[str, float, float]:
    """Run a command in the project's root.

    Returns
    -------
    (str, float, float)
        Standard output, wall seconds, peak MiB of the process tree.

    Raises
    ------
    SystemExit
        With the end of its output, when the command fails.
    """
    started = time.perf_counter()
    # Both streams into files: a pipe nobody reads would stop the command.
    with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as errors:
        process = subprocess.Popen(
            command, cwd=PROJECT, env=os.environ | environment, stdout=output, stderr=errors, text=True
        )
        memory = PeakMemory(process)
        memory.start()
        code = process.wait()
        seconds = time.perf_counter() - started
        memory.join()
        output.seek(0)
        errors.seek(0)
        text = output.read()
        if code != 0:
            raise SystemExit(f"{' '.join(command)} failed:\n{(text + errors.read())[-6000:]}")
    return text, seconds, memory.peak_mib


def run_warehouse(identity_set: IdentitySet, folder: Path) -> Result:
    """Build the warehouse from the set, compare its customers with the truth, export the clean records for Splink."""
    from crm_mining.warehouse.connection import connect

    warehouse = folder / "warehouse.duckdb"
    warehouse.unlink(missing_ok=True)
    _, whole_seconds, peak_mib = _run_dbt(
        identity_set, folder, "build", "--exclude-resource-type", "unit_test", "test", "--select", *CUSTOMERS
    )
    # Alone and one after the other, as Splink's steps are; within the build two models at a time share the processor.
    _run_dbt(identity_set, folder, "run", "--threads", "1", "--select", *MATCHING)
    results = json.loads((folder / "target" / "run_results.json").read_text())["results"]
    seconds = sum(result["execution_time"] for result in results if result["unique_id"].startswith("model."))
    with connect(warehouse, writable=folder) as connection:
        connection.execute(EXPORT.format(path=folder / "records.parquet"))
        metrics = _score(connection, identity_set, "intermediate.int_customer_sources")
    return Result(metrics, seconds, whole_seconds, peak_mib)


def _run_dbt(identity_set: IdentitySet, folder: Path, verb: str, *options: str) -> tuple[str, float, float]:
    variables = {"raw_location": str(identity_set.raw), "modules": list(identity_set.modules)}
    return run_measured(
        [
            str(Path(sys.executable).parent / "dbt"), verb, "--no-use-colors", "--vars", json.dumps(variables),
            "--target-path", str(folder / "target"), "--log-path", str(folder / "logs"), *options,
        ],
        CRM_WAREHOUSE=str(folder / "warehouse.duckdb"),
        DBT_PROJECT_DIR=str(PROJECT),
        DBT_PROFILES_DIR=str(PROJECT),
        DBT_SEND_ANONYMOUS_USAGE_STATS="false",
    )  # fmt: skip


def run_splink(identity_set: IdentitySet, folder: Path, python: Path) -> Result:
    """Run Splink on the records that :func:`run_warehouse` exported, and compare its clusters with the truth."""
    records, clusters = folder / "records.parquet", folder / "clusters.parquet"
    output, whole_seconds, peak_mib = run_measured([str(python), __file__, "--link", str(records), str(clusters)])
    report = json.loads(output.splitlines()[-1])
    print(f"{identity_set.name}: Splink {report['versions']}, {report['n_pairs']:,} pairs matched", file=sys.stderr)
    with duckdb.connect() as connection:
        by_threshold = {
            threshold: _score(connection, identity_set, f"(from '{clusters}' where threshold = {threshold})")
            for threshold in ORACLE_THRESHOLDS
        }
    oracle = max(metrics["pairwise_f1"] for metrics in by_threshold.values())
    return Result(by_threshold[THRESHOLD], report["seconds"], whole_seconds, peak_mib, oracle)


def _score(connection: duckdb.DuckDBPyConnection, identity_set: IdentitySet, found: str) -> dict[str, float]:
    # Imported here because Splink's environment, in which this file runs too, does not have the project's libraries.
    from crm_mining.evaluation.clusters import cluster_metrics

    truth = f"'{identity_set.truth}'"
    strangers = connection.execute(
        f"select count(*) from {found} as found anti join {truth} as truth using (source_table, source_key)"
    ).fetchall()[0][0]
    if strangers:
        print(f"{identity_set.name}: {strangers} records are not in the truth and do not count", file=sys.stderr)
    scored = cluster_metrics(connection.sql(LABELS.format(truth=truth, found=found)))
    return dict(zip(scored["metric"], scored["value"], strict=True))


def link_with_splink(records: Path, clusters: Path) -> None:
    """Group records by Splink; runs in Splink's own environment.

    Parameters
    ----------
    records : Path
        Parquet file of the clean records, see ``EXPORT``.
    clusters : Path
        Parquet file to write ``threshold, source_table, source_key, customer_id`` to. The last line of standard output
        is a JSON object with ``seconds`` (from reading to the groups, without Python's start), ``n_pairs`` and
        ``versions``.
    """
    import splink  # type: ignore[import-not-found]
    from splink import DuckDBAPI, Linker, SettingsCreator, block_on

    started = time.perf_counter()
    connection = duckdb.connect()
    connection.execute(f"set temp_directory = '{clusters.parent / 'splink_temporary'}'")
    connection.execute(f"create table persons as select * from '{records}'")
    total = connection.execute("select count(*) from persons").fetchall()[0][0]
    known = connection.execute("select count(columns(* exclude (phones))) from persons").fetchall()[0]
    names = [column for column, *_ in connection.execute("describe persons").fetchall() if column != "phones"]
    absent = {name for name, count in zip(names, known, strict=True) if count == 0}

    def usable(rules: list[list[str]]) -> list[Any]:
        return [block_on(*rule) for rule in rules if not any(name in part for part in rule for name in absent)]

    rules = WIDE_RULES if total <= MAX_WIDE_RECORDS else SHARP_RULES if total <= MAX_SHARP_RECORDS else SHARPEST_RULES
    settings = SettingsCreator(
        link_type="dedupe_only",
        unique_id_column_name="record_id",
        comparisons=_comparisons(absent),
        blocking_rules_to_generate_predictions=usable(rules),
        additional_columns_to_retain=["source_table", "source_key"],
    )
    api = DuckDBAPI(connection)
    linker = Linker(api.register("persons"), settings)
    linker.training.estimate_probability_two_random_records_match(usable(SURE_RULES), recall=SURE_RECALL)
    linker.training.estimate_u_using_random_sampling(max_pairs=U_PAIRS, seed=1)
    for rule in usable(TRAINING_RULES):
        linker.training.estimate_parameters_using_expectation_maximisation(rule)
    pairs = linker.inference.predict(threshold_match_probability=ORACLE_THRESHOLDS[0])
    linker.clustering.cluster_pairwise_predictions_at_threshold(pairs, threshold_match_probability=THRESHOLD)
    seconds = time.perf_counter() - started
    connection.execute("create table found (threshold double, source_table text, source_key text, customer_id text)")
    for threshold in ORACLE_THRESHOLDS:
        grouped = linker.clustering.cluster_pairwise_predictions_at_threshold(
            pairs, threshold_match_probability=threshold
        )
        connection.execute(
            f"insert into found select {threshold}, source_table, source_key, cluster_id from {grouped.physical_name}"
        )
    connection.execute(f"copy found to '{clusters}' (format parquet)")
    n_pairs = connection.execute(f"select count(*) from {pairs.physical_name}").fetchall()[0][0]
    versions = f"{splink.__version__} on DuckDB {duckdb.__version__}"
    print(json.dumps({"seconds": seconds, "n_pairs": n_pairs, "versions": versions}))


def _comparisons(absent: set[str]) -> list[Any]:
    """Splink's comparisons of the attributes that the records have; frequent values count less where it can do that."""
    import splink.comparison_library as cl  # type: ignore[import-not-found]

    weighted = {"term_frequency_adjustments": True}
    available = {
        "first_name": cl.NameComparison("first_name"),
        "last_name": cl.NameComparison("last_name"),
        "birth_date": cl.DateOfBirthComparison("birth_date", input_is_string=True),
        "email": cl.EmailComparison("email"),
        "street": cl.JaroWinklerAtThresholds("street", [0.92, 0.8]).configure(**weighted),
        "street_number": cl.ExactMatch("street_number").configure(**weighted),
        "city": cl.JaroWinklerAtThresholds("city", [0.92, 0.8]).configure(**weighted),
        "postcode": cl.DamerauLevenshteinAtThresholds("postcode", [1, 2]).configure(**weighted),
        "company": cl.JaroWinklerAtThresholds("company", [0.92, 0.8]).configure(**weighted),
        "national_id": cl.DamerauLevenshteinAtThresholds("national_id", [1, 2]),
        "loyalty_id": cl.DamerauLevenshteinAtThresholds("loyalty_id", [1]),
    }
    chosen = [comparison for name, comparison in available.items() if name not in absent]
    if not {"phone", "mobile"} <= absent:
        chosen.append(cl.ArrayIntersectAtSizes("phones", [1]))
    return chosen


def as_markdown(rows: list[tuple[IdentitySet, Result, Result | None]]) -> str:
    """Lay the results out as one Markdown table; MiB is the peak of the whole process, all of dbt included."""
    lines = [
        "| set | records | ours: pairwise F1 | B-cubed F1 | seconds | of a build of | MiB "
        "| Splink 5: pairwise F1 | B-cubed F1 | best threshold's F1 | seconds | MiB | ours / Splink's seconds |",
        "| --- |" + " --: |" * 12,
    ]
    for identity_set, ours, splink in rows:
        cells = [identity_set.name, f"{ours.metrics['n_records']:,.0f}", *_shares(ours), f"{ours.seconds:.1f}"]
        cells += [f"{ours.whole_seconds:.1f}", f"{ours.peak_mib:,.0f}"]
        if splink is None:
            cells += [""] * 6
        else:
            ratio = ours.seconds / splink.seconds
            cells += [
                *_shares(splink),
                f"{splink.oracle_f1:.4f}",
                f"{splink.seconds:.1f}",
                f"{splink.peak_mib:,.0f}",
                f"{ratio:.2f}",
            ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _shares(result: Result) -> list[str]:
    return [f"{result.metrics['pairwise_f1']:.4f}", f"{result.metrics['bcubed_f1']:.4f}"]


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=HOW_TO_GET_SPLINK, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--sets", nargs="+", default=list(REFERENCES), help=f"{', '.join(REFERENCES)} or synth:<folder>"
    )
    parser.add_argument("--splink-python", type=Path, help="Python of the environment that has Splink")
    parser.add_argument("--without-splink", action="store_true", help="measure the warehouse only")
    parser.add_argument("--work", type=Path, help="folder for warehouses and files; by default one that is removed")
    parser.add_argument("--link", nargs=2, type=Path, metavar=("RECORDS", "CLUSTERS"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.link:
        link_with_splink(*arguments.link)
        return
    if not arguments.without_splink and not (arguments.splink_python and arguments.splink_python.is_file()):
        parser.error(f"--splink-python is missing or names no file (or give --without-splink)\n{HOW_TO_GET_SPLINK}")
    with tempfile.TemporaryDirectory(prefix="crm_identity_") as temporary:
        work = (arguments.work or Path(temporary)).resolve()
        rows: list[tuple[IdentitySet, Result, Result | None]] = []
        for name in arguments.sets:
            identity_set = prepare(name, work / "sets")
            folder = work / "runs" / identity_set.name.replace(":", "_")
            folder.mkdir(parents=True, exist_ok=True)
            ours = run_warehouse(identity_set, folder)
            print(f"{identity_set.name}: ours {ours}", file=sys.stderr)
            splink = None
            if not arguments.without_splink:
                splink = run_splink(identity_set, folder, arguments.splink_python.absolute())
                print(f"{identity_set.name}: Splink {splink}", file=sys.stderr)
            rows.append((identity_set, ours, splink))
    print(as_markdown(rows))


if __name__ == "__main__":
    main()
