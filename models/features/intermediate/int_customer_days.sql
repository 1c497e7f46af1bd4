with as_of_dates as (
    select * from {{ ref('int_as_of_dates') }}
),

sources as (
    select * from {{ ref('int_customer_sources') }}
),

records as (
    select * from {{ ref('int_person_records_cleaned') }}
),

activity as (
    select * from {{ ref('int_customer_activity') }}
),

registered as (
    select
        sources.customer_id,
        min(records.created_at)::date as known_date
    from sources
    inner join records on sources.record_id = records.record_id
    group by sources.customer_id
),

first_seen as (
    select
        customer_id,
        min(activity_date) as known_date
    from activity
    group by customer_id
),

-- A person without any date counts as known from today on.
customer_days as (
    select
        registered.customer_id,
        as_of_dates.as_of_date,
        as_of_dates.is_current,
        as_of_dates.is_labelled,
        least(registered.known_date, first_seen.known_date) as known_date
    from registered
    left join first_seen on registered.customer_id = first_seen.customer_id
    inner join as_of_dates on
        as_of_dates.as_of_date >= least(registered.known_date, first_seen.known_date)
        or (as_of_dates.is_current and registered.known_date is null and first_seen.known_date is null)
)

select * from customer_days
