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
        ) as birth_date,
        birth_date is null as is_swapped
    from records
),

possible as (
    select
        dated.record_id,
        case
            when dated.birth_date between '{{ var("earliest_birth_date") }}'
                and coalesce(dated.created_at::date, horizon.last_event_date, 'infinity'::date)
                then dated.birth_date
        end as birth_date,
        dated.is_swapped
    from dated
    cross join horizon
)

select * from possible
