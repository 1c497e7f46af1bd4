with horizon as (
    select * from {{ ref('int_event_horizon') }}
),

sources as (
    select * from {{ ref('int_customer_sources') }}
    where source_table = 'shop.customers'
),

records as (
    select * from {{ ref('int_person_records_cleaned') }}
),

bookings as (
    select * from {{ ref('int_purchase_bookings') }}
),

accounts as (
    select
        sources.customer_id,
        min(records.created_at)::date as entry_date
    from sources
    inner join records on sources.record_id = records.record_id
    group by sources.customer_id
),

first_purchases as (
    select
        customer_id,
        min(purchase_date) as entry_date
    from bookings
    group by customer_id
),

-- The first day of the data: an account opened before it is older than the data.
opening as (
    select min(entry_date) as first_purchase_date from first_purchases
),

known as (
    select * from accounts
    union all
    select * from first_purchases
),

entries as (
    select
        customer_id,
        min(entry_date) as entry_date
    from known
    group by customer_id
),

dated as (
    select
        entries.customer_id,
        entries.entry_date,
        coalesce(date_trunc('month', entries.entry_date) >= date_trunc('month', opening.first_purchase_date), true) as is_entry_seen,
        greatest(
            date_trunc('month', entries.entry_date), date_trunc('month', coalesce(opening.first_purchase_date, entries.entry_date))
        )::date as first_month,
        horizon.as_of_date
    from entries
    cross join opening
    cross join horizon
    where entries.entry_date <= horizon.as_of_date
)

select * from dated
