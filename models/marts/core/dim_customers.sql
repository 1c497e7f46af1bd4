{%- set latest_columns = [
    'title', 'first_name', 'middle_name', 'last_name', 'suffix', 'birth_date', 'email', 'phone', 'mobile', 'street', 'street_number',
    'address_line_2', 'city', 'region', 'postcode', 'country', 'company', 'job_title', 'loyalty_id', 'has_consent', 'unsubscribed_at',
] -%}
{%- set imputed_columns = ['gender', 'income', 'household_size', 'language'] -%}
with sources as (
    select * from {{ ref('int_customer_sources') }}
),

records as (
    select * from {{ ref('int_person_records_cleaned') }}
),

dated as (
    select
        sources.customer_id,
        records.*,
        (coalesce(records.updated_at, records.created_at, '-infinity'::timestamp), records.record_id) as recency
    from sources
    inner join records using (record_id)
),

-- The latest value that any record of the customer gives; a filled gap counts only where no record has a value of its own.
merged as (
    select
        customer_id,
        {% for column in latest_columns %}
        arg_max({{ column }}, recency) filter (where {{ column }} is not null) as {{ column }},
        {% endfor %}
        {% for column in imputed_columns %}
        arg_max({{ column }}, (not is_{{ column }}_imputed, recency)) filter (where {{ column }} is not null) as {{ column }},
        coalesce(bool_and(is_{{ column }}_imputed) filter (where {{ column }} is not null), false) as is_{{ column }}_imputed,
        {% endfor %}
        min(created_at) as first_seen_at,
        max(coalesce(updated_at, created_at)) as last_updated_at,
        count(*) as n_records,
        count(distinct source) as n_sources
    from dated
    group by customer_id
)

select * from merged
