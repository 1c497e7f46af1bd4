with sources as (
    select * from {{ ref('int_customer_sources') }}
),

records as (
    select * from {{ ref('int_person_records_cleaned') }}
),

-- Of two statements of one moment, the one that allows less is the later.
stated as (
    select
        sources.customer_id,
        arg_max(
            records.has_consent,
            (coalesce(records.updated_at, records.created_at, '-infinity'::timestamp), not records.has_consent)
        ) filter (where records.has_consent is not null) as has_consent,
        max(coalesce(records.updated_at, records.created_at)) filter (where records.has_consent is not null) as stated_at,
        max(records.unsubscribed_at) as unsubscribed_at
    from sources
    inner join records using (record_id)
    group by sources.customer_id
),

decided as (
    select
        customer_id,
        case
            when unsubscribed_at is not null and (stated_at is null or unsubscribed_at >= stated_at) then false
            else has_consent
        end as has_consent,
        unsubscribed_at
    from stated
)

select * from decided
