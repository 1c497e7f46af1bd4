with horizon as (
    select * from {{ ref('int_event_horizon') }}
),

bookings as (
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

-- A return counts on its own day, whatever purchase it belongs to; the purchase still counts as one.
events as (
    select
        customer_id,
        booked_date as event_date,
        'amount' as kind,
        amount
    from bookings
    union all
    select distinct
        customer_id,
        purchase_date as event_date,
        'order' as kind,
        0 as amount
    from bookings
    union all
    select
        customer_id,
        started_at::date as event_date,
        case when has_purchase then 'buying visit' else 'visit' end as kind,
        0 as amount
    from sessions
    union all
    select
        customer_id,
        opened_at::date as event_date,
        'ticket' as kind,
        0 as amount
    from tickets
    union all
    select
        customer_id,
        touched_at::date as event_date,
        case when least(opened_at, clicked_at) <= (select as_of_date from horizon) + 1 then 'response' else 'message' end as kind,
        0 as amount
    from touches
    where not is_control
),

by_month as (
    select
        customer_id,
        date_trunc('month', event_date)::date as month,
        count(*) filter (where kind = 'order') as n_orders,
        sum(amount) as order_amount,
        count(*) filter (where kind in ('visit', 'buying visit')) as n_visits,
        count(*) filter (where kind = 'visit') as n_browsing_visits,
        count(*) filter (where kind = 'ticket') as n_tickets,
        count(*) filter (where kind in ('message', 'response')) as n_messages,
        count(*) filter (where kind = 'response') as n_responses
    from events
    where customer_id is not null and event_date <= (select as_of_date from horizon)
    group by all
)

select * from by_month
