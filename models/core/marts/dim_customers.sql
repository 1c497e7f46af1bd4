{%- set attributes = customer_attributes() -%}
with sources as (
    select * from {{ ref('int_customer_sources') }}
),

records as (
    select * from {{ ref('int_person_records_cleaned') }}
),

fused as (
    select * from {{ ref('int_customer_fused') }}
),

consents as (
    select * from {{ ref('int_customer_consents') }}
),

counted as (
    select
        sources.customer_id,
        min(records.created_at) as first_seen_at,
        max(coalesce(records.updated_at, records.created_at)) as last_updated_at,
        count(*) as n_records,
        count(distinct records.source) as n_sources
    from sources
    inner join records using (record_id)
    group by sources.customer_id
),

spread as (
    select
        customer_id,
        {% for attribute, type in attributes.items() %}
        max(value) filter (where attribute = '{{ attribute }}')::{{ type }} as {{ attribute }},
        {% endfor %}
        {% for attribute in imputed_attributes() %}
        coalesce(max(fallback_level) filter (where attribute = '{{ attribute }}') > 0, false) as is_{{ attribute }}_imputed,
        {% endfor %}
        max(record_id) filter (where attribute = 'address') as address_record_id
    from fused
    group by customer_id
),

described as (
    select
        counted.customer_id,
        {% for attribute in attributes if attribute not in imputed_attributes() %}
        spread.{{ attribute }},
        {% if attribute == 'mobile' %}
        {% for column in address_columns() %}
        addresses.{{ column }},
        {% endfor %}
        {% endif %}
        {% endfor %}
        consents.has_consent,
        consents.unsubscribed_at,
        {% for attribute in imputed_attributes() %}
        spread.{{ attribute }},
        coalesce(spread.is_{{ attribute }}_imputed, false) as is_{{ attribute }}_imputed,
        {% endfor %}
        counted.first_seen_at,
        counted.last_updated_at,
        counted.n_records,
        counted.n_sources
    from counted
    left join spread using (customer_id)
    left join consents using (customer_id)
    left join records as addresses on addresses.record_id = spread.address_record_id
)

select * from described
