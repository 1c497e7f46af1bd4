"""Raw rows dated after the as-of date leave every feature, label, score and value as it was."""

import shutil
from pathlib import Path

import duckdb
import pytest
from conftest import Build, dbt_run_in_process
from dbt.contracts.graph.manifest import Manifest

from crm_mining.prediction import candidates
from crm_mining.synth import Parameters, generate

#: 90 days before the last day of the world.
AS_OF = "2025-10-02"
END = f"timestamp '{AS_OF} 23:59:59'"
#: Of each raw table of facts the column that dates it, and what was known later only, with what stood there before.
FACTS: dict[str, tuple[str, dict[str, str]]] = {
    "shop.orders": ("ordered_at", {}),
    "shop.order_lines": ("loaded_at", {}),
    "shop.web_events": ("event_at", {}),
    "support.tickets": ("opened_at", {"closed_at": "null", "satisfaction": "null"}),
    "marketing.touches": ("touched_at", {"opened_at": "null", "clicked_at": "null"}),
    "crm.opportunities": ("created_at", {"closed_at": "null", "stage": "'proposal'"}),
    "crm.opportunity_stages": ("entered_at", {}),
}
FITS = ("intermediate.int_prediction_fits", "intermediate.int_value_terms")
COMPARED = (
    "intermediate.int_customer_features", "intermediate.int_customer_labels", "intermediate.int_prediction_scores",
    "marts.customer_scores", "marts.customer_value", "marts.customer_rfm", *FITS,
)  # fmt: skip


def _deliver(world: Path, out: Path, *, is_cut: bool) -> None:
    """Write the raw tables of a world; cut, as they were delivered up to the as-of date.

    The records of persons are the same in both, so that no customer is new or found to be another: nothing but what
    customers did comes after the cut.
    """
    with duckdb.connect() as con:
        for file in sorted(world.glob("*/*.parquet")):
            table = f"{file.parent.name}.{file.stem}"
            target = out / file.relative_to(world)
            target.parent.mkdir(parents=True, exist_ok=True)
            if not is_cut or table not in FACTS:
                shutil.copy(file, target)
                continue
            day, later = FACTS[table]
            # Of what dates the others: when a ticket or an opportunity was closed, a message was opened.
            dates = {c: c if c.endswith("_at") else "closed_at" for c in later}
            known = ", ".join(
                f"case when try_cast({dates[c]} as timestamp) > {END} then {before} else {c} end as {c}"
                for c, before in later.items()
            )
            con.execute(f"""
                copy (select * {f"replace ({known})" if known else ""} from '{file}'
                      where not coalesce(try_cast({day} as timestamp) > {END}, false))
                to '{target}'
            """)


@pytest.fixture(scope="module")
def builds(manifest: Manifest, seeded: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Build, Build]:
    """Build a day with nothing after it, and once more with the 90 days that followed, the stored fits kept."""
    folder = tmp_path_factory.mktemp("future")
    generate(Parameters(customers=350, seed=23), folder / "world", "parquet", show_progress=False)
    selection = " ".join(f"+{name.split('.')[1]}" for name in COMPARED)

    def build(name: str, before: Path, *, is_cut: bool) -> Build:
        _deliver(folder / "world" / "raw", folder / name / "raw", is_cut=is_cut)
        shutil.copy(before, folder / name / "warehouse.duckdb")
        variables = {
            "raw_location": str(folder / name / "raw"), "as_of_date": AS_OF, "imputation_sample_rows": 500,
        }  # fmt: skip
        finished = dbt_run_in_process(manifest, folder / name, variables, selection)
        assert finished.returncode == 0, finished.output[-6000:]
        return finished

    with pytest.MonkeyPatch.context() as patch:
        quick = ("logistic_regression", "scorecard", "decision_tree")
        patch.setattr(candidates, "CLASSIFIERS", {name: candidates.CLASSIFIERS[name] for name in quick})
        patch.setattr(candidates, "REGRESSORS", {"ridge_regression": candidates.REGRESSORS["ridge_regression"]})
        then = build("then", seeded, is_cut=True)
        return then, build("later", then.warehouse, is_cut=False)


def test_ninety_days_of_future_rows_leave_no_trace(builds: tuple[Build, Build]) -> None:
    then, later = builds
    for table in ("fct_orders", "fct_order_lines", "fct_web_sessions", "fct_tickets", "fct_opportunities"):
        n_then, n_later = (build.query(f"select count(*) from marts.{table}")[0][0] for build in builds)
        assert 0 < n_then < n_later, table
    for table in COMPARED:
        rows = f"from {table} order by all"
        found = then.query(rows)
        assert found, table
        assert found == later.query(rows), table
