with texts as (
    select * from {{ ref('int_person_texts') }}
),

places as (
    select * from {{ ref('int_person_places') }}
),

written as (
    select
        record_id,
        phone as phone_text
    from texts
    where phone is not null
    union all
    select
        record_id,
        mobile as phone_text
    from texts
    where mobile is not null
),

-- A number without a country prefix belongs to the record's country, or to no country we know of.
numbered as (
    select distinct
        written.phone_text,
        coalesce(places.country, 'ZZ') as country
    from written
    inner join places using (record_id)
)

select * from numbered
