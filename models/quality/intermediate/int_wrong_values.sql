{%- do reads_raw_tables(cleaned=true) %}
with faults as (
    select
        source_table,
        source_key,
        column_name,
        any_value(right_value order by fault_id) as right_value
    from {{ ref('int_known_faults') }}
    where column_name != '*' and kind != 'missing_key'
    group by source_table, source_key, column_name
),

cells as (
    select
        '' as source_table,
        '' as source_key,
        '' as column_name,
        '' as clean_value,
        false as is_changed
    where false
    {% for table in quality_tables() %}
    {% set name = table.source_name ~ '.' ~ table.name %}
    union all
    select
        '{{ name }}' as source_table,
        texts.source_key,
        unnest([
            {%- for column in quality_columns(table) %}
            {'column_name': '{{ column.name }}', 'clean_value': texts.{{ column.name }},
                'is_changed': list_contains(list_transform(list_filter(changes.repairs, change -> change.old_value is not null), change -> change.column_name), '{{ column.name }}')}
            {{- ',' if not loop.last }}
            {%- endfor %}
        ], recursive := true)
    from ({{ quality_rows(table, 'clean') }}) as texts
    inner join {{ quality_cleaned(table) }} as changes using (source_key)
    where len(changes.repairs) > 0 or texts.source_key in (select source_key from faults where source_table = '{{ name }}')
    {% endfor %}
),

-- A fault that is still there is wrong, and so is a change where there was none.
wrong as (
    select
        source_table,
        column_name,
        count(*) filter (where case
            when faults.source_key is null then cells.is_changed
            else cells.clean_value is distinct from faults.right_value
                and try_cast(cells.clean_value as decimal(18, 4)) is distinct from coalesce(try_cast(faults.right_value as decimal(18, 4)), -1)
                and try_cast(cells.clean_value as timestamp) is distinct from coalesce(try_cast(faults.right_value as timestamp), '1000-01-01')
        end) as n_failed
    from cells
    left join faults using (source_table, source_key, column_name)
    group by source_table, column_name
)

select * from wrong
