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
        coalesce(records.updated_at, records.created_at) as recorded_at
    from sources
    inner join records using (record_id)
),

aged as (
    select
        *,
        date_diff('day', recorded_at, max(recorded_at) over (partition by customer_id)) as days_before_latest
    from dated
),

-- The columns of the address are here to measure their reliability; the address is chosen as a whole.
listed as (
    {% for column in (customer_attributes() | list) + address_columns() %}
    select
        customer_id,
        record_id,
        source,
        recorded_at,
        days_before_latest,
        '{{ column }}' as attribute,
        {{ column }}::varchar as value,
        {{ address_words(['street', 'street_number']) if column == 'street' else column ~ '::varchar' }} as compared_value,
        {{ 'is_' ~ column ~ '_imputed::integer' if column in imputed_attributes() else '0' }} as fallback_level
    from aged
    union all
    {% endfor %}
    select
        customer_id,
        record_id,
        source,
        recorded_at,
        days_before_latest,
        'address' as attribute,
        nullif(concat_ws(', ', {{ address_columns() | join(', ') }}), '') as value,
        {{ address_words(['street', 'street_number', 'postcode', 'city']) }} as compared_value,
        case when street is not null then 0 when city is not null then 1 else 2 end as fallback_level
    from aged
),

known as (
    select * from listed
    where value is not null
)

select * from known
