{#- Every raw table with its event date, if it has one, and the reference whose rejection takes the row along. -#}
{%- set tables = [
    ('crm', 'contacts', none, none), ('crm', 'opportunities', 'created_at', none),
    ('crm', 'opportunity_stages', 'entered_at', ('crm.opportunities', 'opportunity_id')),
    ('shop', 'customers', none, none), ('shop', 'products', none, none), ('shop', 'orders', 'ordered_at', none),
    ('shop', 'order_lines', none, ('shop.orders', 'order_id')), ('shop', 'web_events', 'event_at', none),
    ('support', 'requesters', none, none), ('support', 'tickets', 'opened_at', none),
    ('marketing', 'subscribers', none, none), ('marketing', 'campaigns', 'started_at', none),
    ('marketing', 'touches', 'touched_at', ('marketing.campaigns', 'campaign_id')),
] -%}
with horizon as (
    select * from {{ ref('int_event_horizon') }}
),

judged as (
    {% for module, table, event_at, parent in tables %}
    select
        '{{ module }}.{{ table }}' as source_table,
        rows_of.raw_row_id,
        rows_of.source_key,
        rows_of.copy_number,
        rows_of.rejection_reasons,
        rows_of.raw_record_json
    from (
        select
            raw_row_id,
            source_key,
            copy_number,
            rejection_reasons{% if event_at %} || case
                when {{ event_at }}::date > horizon.last_event_date then ['future_date'] else []
            end{% endif %} as rejection_reasons,
            {{ row_as_json('raw_record') }} as raw_record_json
        from {{ ref('stg_' ~ module ~ '__' ~ table) }}
        {% if event_at %}cross join horizon{% endif %}
    ) as rows_of
    where len(rows_of.rejection_reasons) > 0
    {% if not loop.last %}union all{% endif %}
    {% endfor %}
),

-- A parent key counts as rejected only when no copy of it was accepted: of a duplicate one row stays.
rejected_parents as (
    select
        source_table,
        source_key
    from judged
    where copy_number = 1 and source_key is not null
),

orphaned as (
    {% for module, table, event_at, parent in tables if parent %}
    select
        '{{ module }}.{{ table }}' as source_table,
        children.raw_row_id,
        children.source_key,
        children.copy_number,
        children.rejection_reasons || ['rejected_parent'] as rejection_reasons,
        {{ row_as_json('children.raw_record') }} as raw_record_json
    from {{ ref('stg_' ~ module ~ '__' ~ table) }} as children
    inner join rejected_parents
        on rejected_parents.source_table = '{{ parent[0] }}' and rejected_parents.source_key = children.{{ parent[1] }}
    {% if not loop.last %}union all{% endif %}
    {% endfor %}
),

all_rejected as (
    select * from judged
    union all
    select * from orphaned
),

rejected as (
    select
        source_table,
        raw_row_id,
        any_value(source_key) as source_key,
        array_to_string(list_sort(list_distinct(flatten(list(rejection_reasons)))), ', ') as rejection_reasons,
        any_value(raw_record_json) as raw_record
    from all_rejected
    group by source_table, raw_row_id
)

select * from rejected
