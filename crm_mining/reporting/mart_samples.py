"""Ten rows of every mart as one page: ``crm samples``."""

from pathlib import Path

import duckdb
import pandas as pd

from crm_mining.warehouse import keys, masking
from crm_mining.warehouse.connection import connect

N_ROWS, N_COLUMNS = 10, 8
#: Which columns of the wide marts say most; of the others the first ones are shown.
TELLING: dict[str, tuple[str, ...]] = {
    "basket_rules": (
        "rule_set", "antecedent", "consequent", "n_baskets", "confidence", "lift", "q_value", "holdout_confidence",
    ),
    "campaign_performance": (
        "campaign_name", "n_sent", "n_treated", "n_control", "lift", "lift_low", "lift_high", "cost_amount",
    ),
    "customer_360": (
        "customer_id", "n_orders", "order_amount", "rfm_class", "p_alive", "p_buys_90d", "state", "value_summary",
    ),
    "customer_lifecycle": (
        "customer_id", "month", "state", "probability", "state_then", "next_state", "n_orders", "n_visits",
    ),
    "customer_scores": (
        "customer_id", "target", "probability", "expected_amount", "points", "decile", "reason_1", "model",
    ),
    "customer_segments": (
        "customer_id", "as_of_date", "behaviour_segment_name", "behaviour_distance", "behaviour_confidence",
        "needs_segment_name", "needs_confidence", "has_bought",
    ),
    "customer_value": (
        "customer_id", "as_of_date", "p_alive", "expected_orders_90d", "expected_value_90d", "expected_value_365d",
        "expected_value_365d_high", "decile",
    ),
    "dim_customers": ("customer_id", "city", "country", "language", "gender", "income", "first_seen_at", "n_records"),
    "fct_campaign_touches": (
        "campaign_touch_id", "campaign_name", "channel", "customer_id", "touched_at", "is_control", "opened_at",
        "clicked_at",
    ),
    "fct_opportunities": (
        "opportunity_id", "customer_id", "created_at", "closed_at", "stage", "is_won", "opportunity_amount",
        "lead_source",
    ),
    "fct_orders": (
        "order_id", "customer_id", "ordered_at", "order_type", "status", "channel", "n_lines", "net_amount",
    ),
    "fct_tickets": (
        "ticket_id", "customer_id", "opened_at", "hours_to_close", "channel", "category", "status", "satisfaction",
    ),
    "fct_web_sessions": (
        "web_session_id", "customer_id", "started_at", "duration_seconds", "n_events", "traffic_source", "has_cart",
        "has_purchase",
    ),
    "forecast_accuracy": ("series_id", "cutoff_date", "horizon", "method", "actual", "forecast", "mase", "is_in_95"),
    "identity_pairs": (
        "record_a", "record_b", "blocking_rule", "last_name_bits", "birth_date_bits", "email_bits", "match_weight",
        "is_same_customer",
    ),
    "imputation_choices": (
        "table_name", "column_name", "masking", "policy", "n_gaps", "error", "held_out_error", "is_chosen",
    ),
    "model_terms": (
        "target", "model", "term", "coefficient", "interval_low", "interval_high", "permutation_importance",
        "fitted_as_of_date",
    ),
    "path_rules": (
        "path_set", "path", "next_item", "n_occasions", "confidence", "base_rate", "q_value", "holdout_confidence",
    ),
    "rule_set_summary": (
        "rule_set", "kind", "status", "n_cases", "n_rules", "n_significant", "n_redundant", "confirmed_share_of_useful",
    ),
    "sales_forecast": (
        "series_id", "period_start_date", "actual", "forecast", "low_80", "high_80", "naive_forecast", "method",
    ),
    "segment_profiles": (
        "as_of_date", "clustering", "segment_name", "feature", "mean", "median", "z", "customer_share",
    ),
    "term_segments": ("target", "term", "kind", "level", "lower", "upper", "start", "slope"),
}  # fmt: skip


def sample_page(warehouse: Path) -> str:
    """Write ten rows of each mart as Markdown.

    Parameters
    ----------
    warehouse : Path
        The DuckDB file of a build.

    Returns
    -------
    str
        One section per mart, by name: its number of rows, and ten of them spread over the table by the hash of the row,
        at most :data:`N_COLUMNS` columns of each, masked as they are published, without those that are dropped or that
        would need a key. The same for the same marts.

    Raises
    ------
    FileNotFoundError
        When there is no warehouse.
    """
    with connect(warehouse) as con:
        keys.install_pseudonyms(con, None)
        names = con.execute(
            "select table_name from duckdb_tables() where schema_name = 'marts' order by table_name"
        ).fetchall()
        parts = [_section(con, name) for (name,) in names]
    head = "# Ten rows of every mart\n\nOf the bundled sample; its persons are made up. `make marts` writes this page."
    return f"{head}\n{''.join(parts)}"


def _section(con: duckdb.DuckDBPyConnection, name: str) -> str:
    table = f"marts.{name}"
    declared = masking.inventory(con, table)
    empty = {column for column, personal in declared.items() if personal.masking in ("pseudonym", "dropped")}
    own = [column for column, *_ in con.execute(f"describe {table}").fetchall() if column not in empty]
    columns = ([c for c in TELLING.get(name, ()) if c in own] or own)[:N_COLUMNS]
    chosen = f"select * from ({masking.masked(con, table)}) as t order by md5(t::varchar) limit {N_ROWS}"
    listed = ", ".join(f'"{c}"' for c in columns)
    found = con.execute(f"select {listed} from ({chosen}) order by all").df()
    n = con.execute(f"select count(*) from {table}").fetchall()[0][0]
    lines = [" | ".join(["", *columns, ""]).strip(), "| " + " | ".join("---" for _ in columns) + " |"]
    lines += ["| " + " | ".join(_text(value) for value in row) + " |" for row in found.itertuples(index=False)]
    return f"\n## {name}\n\n{n:,} rows\n" + ("\n" + "\n".join(lines) + "\n" if len(found) else "")


def _text(value: object) -> str:
    """Put a cell into few characters: four digits, dates without midnight."""
    if pd.isna(value):  # type: ignore[call-overload]
        return ""
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 10_000 else f"{value:.4g}"
    text = str(value).removesuffix(" 00:00:00").replace("|", "\\|").replace("\n", " ")
    return text if len(text) <= 140 else text[:139] + "…"
