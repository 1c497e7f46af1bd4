{%- set cleaned = {
    'int_products_cleaned': 'shop.products', 'int_orders_cleaned': 'shop.orders', 'int_order_lines_cleaned': 'shop.order_lines',
    'int_web_events_cleaned': 'shop.web_events', 'int_opportunities_cleaned': 'crm.opportunities',
    'int_opportunity_stages_cleaned': 'crm.opportunity_stages', 'int_tickets_cleaned': 'support.tickets',
    'int_campaigns_cleaned': 'marketing.campaigns', 'int_touches_cleaned': 'marketing.touches',
} -%}
with repairs as (
    select
        source_table,
        source_key,
        unnest(repairs, recursive := true)
    from {{ ref('int_person_records_cleaned') }}
    {% for model, source_table in cleaned.items() %}
    union all
    select
        '{{ source_table }}' as source_table,
        source_key,
        unnest(repairs, recursive := true)
    from {{ ref(model) }}
    {% endfor %}
),

-- A value that could not be read, and the gap it left that was then filled, are one change.
merged as (
    select
        source_table,
        source_key,
        column_name,
        max(old_value) as old_value,
        max(new_value) as new_value,
        string_agg(rule, ' + ' order by rule != 'unreadable_value') as rule
    from repairs
    group by source_table, source_key, column_name
)

select * from merged
