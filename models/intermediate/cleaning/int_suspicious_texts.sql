{#- Two characters beyond ASCII side by side are what UTF-8 looks like when it was read as something else. Few values have
    them, so that only those leave SQL for the repair. -#}
{%- set tables = {
    'int_person_records': person_text_columns(),
    'stg_shop__products': ['product_name', 'category'],
    'stg_support__tickets': ['subject'],
    'stg_marketing__campaigns': ['campaign_name'],
} -%}
{%- set names = {
    'stg_shop__products': 'shop.products', 'stg_support__tickets': 'support.tickets', 'stg_marketing__campaigns': 'marketing.campaigns',
} -%}
with cells as (
    {% for model, columns in tables.items() %}
    select
        {{ "'" ~ names[model] ~ "'" if model in names else 'source_table' }} as source_table,
        source_key,
        unnest([
            {%- for column in columns %}
            {'column_name': '{{ column }}', 'text': {{ column }}}{{ ',' if not loop.last }}
            {%- endfor %}
        ]) as cell
    from {{ ref(model) }}
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
