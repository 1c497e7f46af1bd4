{%- do reads_raw_tables() %}
with horizon as (
    select as_of_date from {{ ref('int_event_horizon') }}
),

landed as (
    select * from {{ ref('stg_landing__columns') }}
    where is_present
),

profiled as (
    select
        ''::varchar as source_table,
        0::bigint as n_rows,
        0::bigint as n_rows_total,
        0::bigint as freshness_days,
        ''::varchar as column_name,
        0::bigint as n_filled,
        0::bigint as n_distinct
    from horizon
    where false
    {% for table in quality_tables() %}
    union all
    select
        '{{ table.source_name ~ '.' ~ table.name }}' as source_table,
        count(*) filter (where {{ is_newest() }}) as n_rows,
        count(*) filter (where event_date <= as_of_date or event_date is null) as n_rows_total,
        date_diff('day', max(event_date) filter (where event_date <= as_of_date), any_value(as_of_date)) as freshness_days,
        unnest([
            {%- for column in table.columns.values() %}
            {'column_name': '{{ column.name }}', 'n_filled': count({{ read_text(column.name) }}) filter (where {{ is_newest() }}),
                'n_distinct': count(distinct {{ read_text(column.name) }}) filter (where {{ is_newest() }})}{{ ',' if not loop.last }}
            {%- endfor %}
        ], recursive := true)
    from ({{ profiled_rows(table) }}) as rows_of
    cross join horizon
    {% endfor %}
),

delivered as (
    select profiled.*
    from profiled
    inner join landed using (source_table, column_name)
)

select * from delivered
