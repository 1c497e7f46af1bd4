with bookings as (
    select * from {{ ref('int_purchase_bookings') }}
),

sessions as (
    select * from {{ ref('fct_web_sessions') }}
),

tickets as (
    select * from {{ ref('fct_tickets') }}
),

touches as (
    select * from {{ ref('fct_campaign_touches') }}
),

-- What customers did themselves; a message that they were sent is no sign of life.
signs as (
    select
        customer_id,
        booked_date as activity_date
    from bookings
    union
    select
        customer_id,
        started_at::date as activity_date
    from sessions
    union
    select
        customer_id,
        opened_at::date as activity_date
    from tickets
    union
    select
        customer_id,
        opened_at::date as activity_date
    from touches
    union
    select
        customer_id,
        clicked_at::date as activity_date
    from touches
),

dated as (
    select * from signs
    where customer_id is not null and activity_date is not null
)

select * from dated
