with records as (
    select * from {{ ref('int_person_records_cleaned') }}
),

-- One customer for each clean e-mail address, or phone number, or record that has neither.
keyed as (
    select
        record_id,
        source,
        source_table,
        source_key,
        case
            when email is not null then 'email'
            when coalesce(mobile, phone) is not null then 'phone'
            else 'record'
        end as match_rule,
        coalesce(email, mobile, phone, record_id) as match_value
    from records
),

resolved as (
    select
        record_id,
        source,
        source_table,
        source_key,
        'C' || upper(left(md5(match_rule || ':' || match_value), 16)) as customer_id,
        match_rule
    from keyed
)

select * from resolved
