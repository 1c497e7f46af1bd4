{#- Raw plus repairs gives clean, and clean minus repairs gives raw again. Fails with each cell that differs from what was delivered
    without a repair that says so, and with each repair that no difference answers to. `staged` only says how raw text is read:
    ' 12.50 ' and 12.5 are one value. -#}
{% test repairs_explain_changes(model, raw, staged, source_table, accepted_where='true') %}
{%- set raw_columns = adapter.get_columns_in_relation(raw) | map(attribute='name') | list -%}
{%- set staged_columns = adapter.get_columns_in_relation(staged) | map(attribute='name') | list -%}
with cells as (
    select
        staged.source_key,
        unnest(list_filter([
            {%- for column in adapter.get_columns_in_relation(model) if column.name in raw_columns and column.name in staged_columns %}
            {%- set as_text = number_text if column.dtype.startswith('DECIMAL') else cast_to_text %}
            {%- if not loop.first %},{% endif %}
            {
                'column_name': '{{ column.name }}',
                'raw_text': {{ read_text('landed.' ~ column.name) }},
                'staged_text': {{ as_text('staged.' ~ column.name) }},
                'clean_text': {{ as_text('cleaned.' ~ column.name) }}
            }
            {%- endfor %}
        ], cell -> cell.staged_text is distinct from cell.clean_text or (cell.raw_text is not null and cell.staged_text is null)), recursive := true)
    from {{ staged }} as staged
    inner join {{ raw }} as landed using (raw_row_id)
    inner join (select * from {{ model }} where {{ accepted_where }}) as cleaned on cleaned.source_key = staged.source_key
    where not exists (
        select 1
        from {{ ref('int_rejected_rows') }} as rejected
        where rejected.source_table = '{{ source_table }}' and rejected.raw_row_id = staged.raw_row_id
    )
),

repairs as (
    select * from {{ ref('dq_repairs') }}
    where source_table = '{{ source_table }}' and column_name in ('{{ raw_columns | join("', '") }}')
)

select
    coalesce(cells.source_key, repairs.source_key) as source_key,
    coalesce(cells.column_name, repairs.column_name) as column_name,
    cells.raw_text,
    cells.staged_text,
    cells.clean_text,
    repairs.old_value,
    repairs.new_value,
    repairs.rule
from cells
full outer join repairs on repairs.source_key = cells.source_key and repairs.column_name = cells.column_name
where
    cells.source_key is null
    or repairs.source_key is null
    or repairs.new_value is distinct from cells.clean_text
    or (repairs.old_value is distinct from cells.raw_text and repairs.old_value is distinct from cells.staged_text)
    or coalesce(repairs.rule, '') = ''
{% endtest %}
