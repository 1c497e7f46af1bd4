{%- do reads_raw_tables(cleaned=true) %}
with faults as (
    select
        source_table,
        column_name,
        count(distinct source_key) as n_failed
    from {{ ref('int_known_faults') }}
    where column_name != '*'
    group by source_table, column_name
),

wrong as (
    select * from {{ ref('int_wrong_values') }}
),

landed as (
    select * from {{ ref('stg_landing__columns') }}
    where is_present
),

rows_of as (
    select
        '' as source_table,
        '' as stage,
        '' as column_name,
        0::bigint as n_checked
    where false
    {% for table in quality_tables() %}
    {% for stage in ['raw', 'clean'] %}
    union all
    select
        '{{ table.source_name ~ '.' ~ table.name }}' as source_table,
        '{{ stage }}' as stage,
        unnest(['{{ quality_columns(table) | join("', '", attribute='name') }}']) as column_name,
        count(*) as n_checked
    from {{ quality_staged(table) if stage == 'raw' else quality_cleaned(table) ~ ' as cleaned' }}
    {% endfor %}
    {% endfor %}
),

counted as (
    select
        rows_of.source_table,
        rows_of.stage,
        rows_of.column_name,
        'truth' as dimension,
        'truth' as rules,
        rows_of.n_checked,
        coalesce(case rows_of.stage when 'raw' then faults.n_failed else wrong.n_failed end, 0) as n_failed
    from rows_of
    inner join landed using (source_table, column_name)
    left join faults using (source_table, column_name)
    left join wrong using (source_table, column_name)
    where rows_of.n_checked > 0 and exists (select 1 from {{ ref('int_known_faults') }})
)

select * from counted
