{%- set vocabularies = [
    ('stg_shop__products', 'shop.products', 'category', none), ('stg_shop__web_events', 'shop.web_events', 'event_name', 'event_at'),
    ('stg_shop__orders', 'shop.orders', 'channel', 'ordered_at'), ('stg_shop__orders', 'shop.orders', 'status', 'ordered_at'),
    ('stg_shop__orders', 'shop.orders', 'order_type', 'ordered_at'), ('stg_support__tickets', 'support.tickets', 'channel', 'opened_at'),
    ('stg_support__tickets', 'support.tickets', 'category', 'opened_at'), ('stg_support__tickets', 'support.tickets', 'priority', 'opened_at'),
    ('stg_support__tickets', 'support.tickets', 'status', 'opened_at'), ('stg_crm__opportunities', 'crm.opportunities', 'stage', 'created_at'),
    ('stg_crm__opportunities', 'crm.opportunities', 'lead_source', 'created_at'),
    ('stg_crm__opportunity_stages', 'crm.opportunity_stages', 'stage', 'entered_at'),
    ('stg_marketing__campaigns', 'marketing.campaigns', 'channel', 'started_at'),
] -%}
with horizon as (
    select * from {{ ref('int_event_horizon') }}
),

-- Rows after the as-of date don't count: they must not change what was cleaned before it.
counted as (
    {% for model, source_table, column, event_at in vocabularies %}
    select
        '{{ source_table }}' as source_table,
        '{{ column }}' as column_name,
        words_of.{{ column }} as written_value,
        {% set known = 'filter (where ' ~ event_at ~ ' is null or words_of.' ~ event_at ~ '::date <= horizon.as_of_date)' if event_at else '' %}
        count(*) {{ known }} as n_rows,
        sum(count(*) {{ known }}) over () as n_rows_of_column
    from {{ ref(model) }} as words_of
    cross join horizon
    where words_of.{{ column }} is not null
    group by words_of.{{ column }}
    {% if not loop.last %}union all{% endif %}{% endfor %}
)

select * from counted
