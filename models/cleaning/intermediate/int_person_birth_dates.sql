with records as (
    select * from {{ ref('int_person_records') }}
),

horizon as (
    select * from {{ ref('int_event_horizon') }}
),

-- Month and day stand in each other's place when only that way round they make a date.
dated as (
    select
        record_id,
        created_at,
        coalesce(
            birth_date,
            try_cast(regexp_replace(birth_date_text, '^(\d{4})-(\d{2})-(\d{2})$', '\1-\3-\2') as date)
        ) as birth_date
    from records
),

possible as (
    select
        dated.record_id,
        dated.birth_date
    from dated
    cross join horizon
    where
        dated.birth_date between '{{ var("earliest_birth_date") }}'
        and coalesce(dated.created_at::date, horizon.last_event_date, 'infinity'::date)
),

judged as (
    select
        records.record_id,
        possible.birth_date,
        possible.birth_date is not null and records.birth_date is null as is_swapped
    from records
    left join possible using (record_id)
)

select * from judged
