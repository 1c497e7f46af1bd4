with sources as (
    select * from {{ ref('int_customer_sources') }}
),

records as (
    select * from {{ ref('int_person_records_cleaned') }}
),

described as (
    select
        sources.record_id,
        sources.customer_id,
        sources.source,
        sources.source_table,
        sources.source_key,
        sources.match_rule,
        sources.match_weight,
        sources.match_probability,
        sources.matched_record_id,
        records.created_at,
        records.updated_at
    from sources
    inner join records using (record_id)
)

select * from described
