{%- do reads_raw_tables() %}
with horizon as (
    select as_of_date from {{ ref('int_event_horizon') }}
),

binned as (
    select
        ''::varchar as source_table,
        ''::varchar as column_name,
        ''::varchar as bin,
        0::bigint as n_rows
    from horizon
    where false
    {% for table in quality_tables() %}
    union all
    select
        '{{ table.source_name ~ '.' ~ table.name }}' as source_table,
        cell.column_name,
        cell.bin,
        count(*) as n_rows
    from (
        select unnest([
            {%- for column in table.columns.values() if profile_bin(column) %}
            {{ ',' if not loop.first }}{'column_name': '{{ column.name }}', 'bin': {{ profile_bin(column) }}}
            {%- else %}{'column_name': null::varchar, 'bin': null::varchar}
            {%- endfor %}
        ]) as cell
        from ({{ profiled_rows(table) }}) as rows_of
        cross join horizon
        where {{ is_newest() }}
    ) as cells
    where cell.bin is not null
    group by all
    {% endfor %}
)

select * from binned
