with touches as (
    select * from {{ ref('fct_campaign_touches') }}
),

bookings as (
    select * from {{ ref('int_purchase_bookings') }}
),

horizon as (
    select * from {{ ref('int_event_horizon') }}
),

-- Who got the message and was in the control group too counts as treated.
addressed as (
    select
        campaign_id,
        customer_id,
        bool_and(is_control) as is_control,
        min(touched_at)::date as touched_date,
        count(opened_at) > 0 as has_opened,
        count(clicked_at) > 0 as has_clicked
    from touches
    where customer_id is not null
    group by campaign_id, customer_id
),

followed as (
    select
        addressed.*,
        addressed.touched_date + {{ checked_number('conversion_days', 0, 365) }} <= horizon.as_of_date as is_complete,
        count(distinct bookings.order_id) as n_orders,
        coalesce(sum(bookings.amount), 0)::decimal(18, 2) as revenue_amount
    from addressed
    cross join horizon
    left join bookings
        on addressed.customer_id = bookings.customer_id
        and addressed.touched_date <= bookings.purchase_date
        and addressed.touched_date + {{ var('conversion_days') }} >= bookings.booked_date
    where addressed.touched_date <= horizon.as_of_date
    group by
        addressed.campaign_id, addressed.customer_id, addressed.is_control, addressed.touched_date, addressed.has_opened,
        addressed.has_clicked, horizon.as_of_date
)

select
    *,
    n_orders > 0 as has_converted
from followed
