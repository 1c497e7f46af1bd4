"""How well the cleaning met the faults that were put into a synthetic world."""

from pathlib import Path

import duckdb
import pandas as pd
import pyarrow as pa

from crm_mining.warehouse.connection import attach_to_read

#: Which fault a repair rule is meant for. A rule that is not listed stands for itself.
KIND_OF_RULE = {
    "known_domain_typo": "email_domain_typo",
    "rare_domain_look_alike": "email_domain_typo",
    "city_typo": "typo_city",
    "vocabulary_typo": "typo_vocabulary",
    "usual_spelling": "typo_vocabulary",
    "e164": "phone_notation",
    "impossible_phone": "phone_notation",
    "tidied_text": "extra_spaces",
    "name_spelling": "letter_case",
    "canonical_email": "letter_case",
    "street_word": "address_notation",
    "country_name": "country_notation",
    "gender_word": "gender_notation",
    "split_off": "title_in_name",
    "negative_quantity_in_sale": "negative_quantity",
    "currency_by_prices": "currency_mixed_up",
    "from_city": "missing_at_random",
    "from_postcode": "missing_at_random",
}

_OUTCOMES = """
with fault_list as (
    select
        fault_id, source_table, column_name, kind, wrong_value, right_value, expected,
        nullif(trim(wrong_value), '') as read_value,
        case when kind != 'missing_key' then source_key end as source_key,
        lower(is_visible::varchar) = 'true' as is_visible,
        row_number() over (partition by source_table, kind order by fault_id) as kind_number
    from faults
),

-- A row without a key can't be distinguished from another: they are counted, table by table.
keyless as (
    select source_table, count(*) as n_keyless
    from warehouse.marts.dq_rejected_rows
    where source_key is null and rejection_reasons like '%no_key%'
    group by source_table
),

rejected as (
    select source_table, source_key, string_agg(rejection_reasons, ', ') as reasons
    from warehouse.marts.dq_rejected_rows
    group by source_table, source_key
),

repaired as (
    select source_table, source_key, column_name, any_value(new_value) as new_value, any_value(rule) as rule
    from warehouse.marts.dq_repairs
    group by all
),

policies as (
    select distinct
        case table_name
            when 'persons'
                then unnest(['crm.contacts', 'shop.customers', 'support.requesters', 'marketing.subscribers'])
            when 'tickets' then 'support.tickets' else 'shop.' || table_name end as source_table,
        column_name
    from warehouse.lookup.imputation_policies
    union
    -- A gap in the place is filled from the rest of the address, where the source has one.
    select source_table, case column_name when 'postcode' then 'city' else 'country' end
    from warehouse.marts.dq_raw_columns
    where is_present and column_name in ('postcode', 'city')
),

joined as (
    select
        fault_list.*,
        case
            when fault_list.kind = 'missing_key' then fault_list.kind_number <= keyless.n_keyless
            else rejected.reasons is not null
        end as is_rejected,
        repaired.rule is not null as is_repaired,
        repaired.new_value,
        policies.column_name is not null as has_policy,
        case when repaired.rule is not null then repaired.new_value else fault_list.read_value end as clean_value
    from fault_list
    left join rejected
        on rejected.source_table = fault_list.source_table and rejected.source_key = fault_list.source_key
    left join keyless on keyless.source_table = fault_list.source_table
    left join repaired
        on repaired.source_table = fault_list.source_table and repaired.source_key = fault_list.source_key
        and repaired.column_name = fault_list.column_name
    left join policies
        on policies.source_table = fault_list.source_table and policies.column_name = fault_list.column_name
)

select
    kind,
    source_table,
    column_name,
    expected,
    -- A cell of a row that was rejected for another reason was never there to be cleaned.
    is_visible and not (expected != 'reject' and is_rejected) and (expected != 'fill' or has_policy) as is_visible,
    coalesce(
        case when expected = 'reject' then is_rejected else is_repaired or clean_value = right_value end, false
    ) as is_caught,
    coalesce(case expected
        when 'reject' then is_rejected
        when 'remove' then clean_value is null
        else clean_value = right_value
            or try_cast(clean_value as decimal(18, 4)) = try_cast(right_value as decimal(18, 4))
            or try_cast(clean_value as timestamp) = try_cast(right_value as timestamp)
    end, false) as is_right,
    wrong_value,
    right_value,
    clean_value,
    fault_id,
    source_key
from joined
"""

_FALSE_ALARMS = """
select
    string_split(repairs.rule, ' + ')[-1] as rule,
    count(*) as false_alarms
from warehouse.marts.dq_repairs as repairs
where
    repairs.old_value is not null
    and not exists (
        select 1 from faults
        where faults.source_table = repairs.source_table and faults.source_key = repairs.source_key
            and faults.column_name = repairs.column_name
    )
group by all
"""

# A row may also be rejected because the row it refers to lost its own key: the fault's doing, no false alarm.
_WRONGLY_REJECTED = """
select rejected.source_table, count(*) as n_rows
from warehouse.marts.dq_rejected_rows as rejected
where
    rejected.rejection_reasons not in ('rejected_parent', 'no_key')
    and not exists (
        select 1 from faults
        where faults.source_table = rejected.source_table and faults.source_key = rejected.source_key
            and faults.expected = 'reject'
    )
    and not exists (
        select 1 from faults
        where faults.kind = 'missing_key'
            and rejected.rejection_reasons = 'orphan_' || faults.column_name
            and json_extract_string(rejected.raw_record, '$.' || faults.column_name) = faults.right_value
    )
group by all
"""

_RAW_COLUMNS = """
select table_name, column_name
from duckdb_columns()
where database_name = 'warehouse' and schema_name = 'raw' and table_name != 'landed_columns'
    and column_name not in ('raw_row_id', 'unreadable_line')
"""


def _connect(warehouse: Path, truth: Path) -> duckdb.DuckDBPyConnection:
    files = [path for path in (truth / "faults.csv", truth / "faults.parquet") if path.is_file()]
    if not files:
        raise FileNotFoundError(
            f"no faults.csv or faults.parquet in {truth}: only a world of crm_mining.synth knows its faults"
        )
    con = duckdb.connect()
    attach_to_read(con, warehouse)
    source = str(files[0]).replace("'", "''")
    reader = f"read_csv('{source}', all_varchar=true)" if files[0].suffix == ".csv" else f"read_parquet('{source}')"
    con.execute(f"create temp table faults as select * from {reader}")
    return con


def read_faults(path: Path | None) -> pa.Table:
    """Read the fault list of a synthetic world.

    Parameters
    ----------
    path : Path or None
        ``faults.csv`` or ``faults.parquet`` as crm_mining.synth writes them; None where there is no truth.

    Returns
    -------
    Table
        One row per faulty value or row: the texts ``fault_id, source_table, source_key, column_name, kind,
        right_value``; no rows without a path. ``column_name`` is ``*`` where the whole row is the fault.
    """
    columns = ["fault_id", "source_table", "source_key", "column_name", "kind", "right_value"]
    if path is None:
        return pa.table({column: pa.array([], pa.string()) for column in columns})
    source = str(path).replace("'", "''")
    reader = f"read_csv('{source}', all_varchar=true)" if path.suffix == ".csv" else f"read_parquet('{source}')"
    with duckdb.connect() as con:
        names = ", ".join(f"{column}::varchar as {column}" for column in columns)
        return con.execute(f"select {names} from {reader} order by fault_id").to_arrow_table()


def fault_outcomes(warehouse: Path, truth: Path) -> pd.DataFrame:
    """List every injected fault with what became of it.

    Parameters
    ----------
    warehouse : Path
        The DuckDB file of a build over the world.
    truth : Path
        The world's truth folder.

    Returns
    -------
    DataFrame
        One row per fault: ``kind, source_table, source_key, column_name, expected, is_visible, is_caught, is_right``
        and the wrong, the right and the cleaned value. ``is_visible`` is false where the delivered data can't show the
        fault (a typo in a name that may be a name), where a gap has no policy to fill it, or where the row was rejected
        for another reason.
    """
    with _connect(warehouse, truth) as con:
        return con.execute(_OUTCOMES).df()


def fault_table(warehouse: Path, truth: Path) -> pd.DataFrame:
    """Sum up the faults by kind.

    Returns
    -------
    DataFrame
        One row per kind of fault: ``injected``, ``visible`` (what the data can show), ``caught`` (of the visible:
        changed or rejected), ``rightly_repaired`` (of the visible: the right value is back, or the row is rejected as
        it should be), both as counts and as shares, and ``false_alarms`` (values without a fault that a rule meant for
        this kind changed).
    """
    with _connect(warehouse, truth) as con:
        outcomes = con.execute(_OUTCOMES).df()
        alarms = con.execute(_FALSE_ALARMS).df()
    visible = outcomes[outcomes["is_visible"]]
    table = pd.DataFrame(
        {
            "injected": outcomes.groupby("kind").size(),
            "visible": visible.groupby("kind").size(),
            "caught": visible.groupby("kind")["is_caught"].sum(),
            "rightly_repaired": visible.groupby("kind")["is_right"].sum(),
        }
    ).fillna(0)
    by_kind = (
        alarms.assign(kind=alarms["rule"].map(lambda rule: KIND_OF_RULE.get(rule, rule)))
        .groupby("kind")["false_alarms"]
        .sum()
    )
    table = table.join(by_kind, how="outer").fillna(0).astype("int64")
    table.insert(3, "caught_share", (table["caught"] / table["visible"]).where(table["visible"] > 0))
    table.insert(5, "right_share", (table["rightly_repaired"] / table["visible"]).where(table["visible"] > 0))
    return table.rename_axis("kind").reset_index()


def false_alarm_share(warehouse: Path, truth: Path) -> float:
    """Share of the delivered values without a fault that the cleaning changed or that a wrong rejection took away."""
    with _connect(warehouse, truth) as con:
        changed = con.execute(_FALSE_ALARMS).df()["false_alarms"].sum()
        columns_of: dict[str, list[str]] = {}
        for table, column in con.execute(_RAW_COLUMNS).fetchall():
            columns_of.setdefault(table, []).append(column)
        rejected = dict(con.execute(_WRONGLY_REJECTED).fetchall())
        n_values = 0
        lost = 0.0
        for name, columns in columns_of.items():
            counts = ", ".join(f'count("{column}")' for column in columns)
            values = sum(con.execute(f'select {counts} from warehouse.raw."{name}"').fetchall()[0])
            rows = con.execute(f'select count(*) from warehouse.raw."{name}"').fetchall()[0][0]
            n_values += values
            lost += rejected.get(name.replace("_", ".", 1), 0) * (values / rows if rows else 0)
    return float((changed + lost) / n_values) if n_values else 0.0


def faults_as_text(table: pd.DataFrame, alarms: float) -> str:
    """Lay the table of faults out for a terminal.

    Parameters
    ----------
    table : DataFrame
        As :func:`fault_table` returns it.
    alarms : float
        As :func:`false_alarm_share` returns it.

    Returns
    -------
    str
        Several lines.
    """
    shown = table.assign(
        caught_share=table["caught_share"].map(_percent), right_share=table["right_share"].map(_percent)
    ).rename(columns=lambda name: name.replace("_", " "))
    with pd.option_context("display.width", 200, "display.max_rows", 100):
        laid_out = shown.to_string(index=False)
    return (
        f"{laid_out}\n\nvalues without a fault that were changed or lost: {alarms:.4%}\n"
        "visible: what the delivered data itself can show. Shares are of the visible ones."
    )


def _percent(share: float) -> str:
    return "" if pd.isna(share) else f"{share:.1%}"
