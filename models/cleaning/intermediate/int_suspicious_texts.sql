{#- Two characters beyond ASCII side by side are what UTF-8 looks like when it was read as something else. Few values have
    them, so that only those leave SQL for the repair. -#}
{%- set tables = {
    'int_person_records': person_text_columns(),
    'shop.products': ['product_name', 'category'],
    'support.tickets': ['subject'],
    'marketing.campaigns': ['campaign_name'],
} -%}
with cells as (
    {% for table, columns in tables.items() %}
    {% set is_staged = '.' in table %}
    select
        {{ "'" ~ table ~ "'" if is_staged else 'source_table' }} as source_table,
        source_key,
        unnest([
            {%- for column in columns %}
            { 'column_name': '{{ column }}', 'text': {{ column }} }{{ ',' if not loop.last }}
            {%- endfor %}
        ]) as cell
    from {{ '(' ~ accepted_rows(*table.split('.')) ~ ')' if is_staged else ref(table) }}
    where regexp_matches(concat_ws(' ', {{ columns | join(', ') }}), '[^\x00-\x7F]{2}')
    {% if not loop.last %}union all{% endif %}
    {% endfor %}
),

suspicious as (
    select distinct
        source_table,
        source_key,
        cell.column_name,
        cell.text as broken_text
    from cells
    where regexp_matches(cell.text, '[^\x00-\x7F]{2}')
)

select * from suspicious
