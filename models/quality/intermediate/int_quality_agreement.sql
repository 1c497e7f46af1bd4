{%- do reads_raw_tables(cleaned=true) %}
with customer_sources as (
    select * from {{ ref('int_customer_sources') }}
),

landed as (
    select * from {{ ref('stg_landing__columns') }}
    where is_present
),

{% set tables = [] -%}
{% for table in quality_tables() if table.config.meta.cleaned == 'int_person_records_cleaned' %}{% do tables.append(table) %}{% endfor -%}
own_values as (
    select
        ''::varchar as source_table,
        ''::varchar as stage,
        ''::varchar as source_key,
        ''::varchar as column_name,
        ''::varchar as value
    where false
    {% for table in tables %}
    {% for stage in ['raw', 'clean'] %}
    union all
    select
        '{{ table.source_name ~ '.' ~ table.name }}' as source_table,
        '{{ stage }}' as stage,
        source_key,
        unnest([
            {%- for column in quality_columns(table) if column.config.meta.get('quality', {}).matched %}
            {{ ',' if not loop.first }}{'column_name': '{{ column.name }}', 'value': {{ column.name }}}
            {%- endfor %}
        ], recursive := true)
    from ({{ quality_rows(table, stage) }}) as texts
    {% endfor %}
    {% endfor %}
),

compared as (
    select
        own_values.source_table,
        own_values.stage,
        own_values.column_name,
        count(*) over whole - count(*) over within_source as n_others,
        count(*) over same_value - count(*) over same_value_within_source as n_others_agreeing
    from own_values
    inner join landed using (source_table, column_name)
    inner join customer_sources using (source_table, source_key)
    where own_values.value is not null
    window
        whole as (partition by own_values.stage, customer_sources.customer_id, own_values.column_name),
        within_source as (partition by own_values.stage, customer_sources.customer_id, own_values.column_name, own_values.source_table),
        same_value as (partition by own_values.stage, customer_sources.customer_id, own_values.column_name, own_values.value),
        same_value_within_source as (
            partition by own_values.stage, customer_sources.customer_id, own_values.column_name, own_values.value, own_values.source_table
        )
),

counted as (
    select
        source_table,
        stage,
        column_name,
        'accuracy' as dimension,
        'matched' as rules,
        count(*) as n_checked,
        count(*) filter (where 2 * n_others_agreeing < n_others) as n_failed
    from compared
    where n_others > 0
    group by source_table, stage, column_name
)

select * from counted
