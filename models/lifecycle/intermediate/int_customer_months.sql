with customers as (
    select * from {{ ref('int_customer_entries') }}
),

events as (
    select * from {{ ref('int_customer_month_events') }}
),

months as (
    select
        customer_id,
        as_of_date,
        is_entry_seen,
        unnest(generate_series(first_month, as_of_date, interval 1 month))::date as month
    from customers
),

joined as (
    select
        months.*,
        -- The part of the month that had passed on the as-of date.
        (least(last_day(months.month), months.as_of_date) - months.month + 1) / day(last_day(months.month)) as month_share,
        coalesce(events.n_orders, 0) as n_orders,
        coalesce(events.order_amount, 0)::decimal(18, 2) as order_amount,
        coalesce(events.n_visits, 0) as n_visits,
        coalesce(events.n_browsing_visits, 0) as n_browsing_visits,
        coalesce(events.n_tickets, 0) as n_tickets,
        coalesce(events.n_messages, 0) as n_messages,
        coalesce(events.n_responses, 0) as n_responses
    from months
    left join events on months.customer_id = events.customer_id and months.month = events.month
),

with_past as (
    select
        *,
        row_number() over history - 1 as month_number,
        n_orders + lag(n_orders, 1, 0) over history = 0 as is_quiet,
        coalesce(sum(n_visits) over (history rows between unbounded preceding and 1 preceding), 0) > 0 as is_known_visitor
    from joined
    window history as (partition by customer_id order by month)
),

-- Exposure of each channel. Tickets and visits follow from purchases, so they are informative only where there was none this month
-- and the last; visits are seen only of customers who have been recognised before.
exposed as (
    select
        *,
        month_share as orders_exposure,
        case when is_quiet and is_known_visitor then month_share else 0 end as visits_exposure,
        case when is_quiet then month_share else 0 end as tickets_exposure,
        n_messages::double as responses_exposure
    from with_past
)

select * from exposed
