{%- do reads_raw_tables(cleaned=true) %}
with horizon as (
    select * from {{ ref('int_event_horizon') }}
),

landed as (
    select * from {{ ref('stg_landing__columns') }}
),

counted as (
    select
        ''::varchar as source_table,
        ''::varchar as stage,
        ''::varchar as column_name,
        ''::varchar as dimension,
        ''::varchar as rules,
        0::bigint as n_checked,
        0::bigint as n_failed
    from horizon
    where false
    {% for table in quality_tables() %}
    {% for stage in ['raw', 'clean'] %}
    union all
    {{ quality_counts(table, stage) }}
    {% endfor %}
    {% endfor %}
),

-- A column that was not delivered is not counted as a gap in every row.
delivered as (
    select counted.*
    from counted
    left join landed using (source_table, column_name)
    where counted.n_checked > 0 and (counted.dimension = 'uniqueness' or landed.is_present)
)

select * from delivered
