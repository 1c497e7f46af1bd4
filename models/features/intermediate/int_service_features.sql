with as_of_dates as (
    select * from {{ ref('int_as_of_dates') }}
),

tickets as (
    select * from {{ ref('fct_tickets') }}
),

-- Closing and satisfaction are known from the day on which the ticket was closed.
dated as (
    select
        tickets.customer_id,
        as_of_dates.as_of_date,
        tickets.opened_at,
        tickets.ticket_id,
        date_diff('day', tickets.opened_at::date, as_of_dates.as_of_date) as days_ago,
        tickets.closed_at is not null and tickets.closed_at::date <= as_of_dates.as_of_date as is_closed_by_then,
        case when tickets.closed_at::date <= as_of_dates.as_of_date then tickets.satisfaction end as satisfaction,
        case when tickets.closed_at::date <= as_of_dates.as_of_date
            then date_diff('minute', tickets.opened_at, tickets.closed_at) end as minutes_to_close
    from tickets
    inner join as_of_dates on tickets.opened_at::date <= as_of_dates.as_of_date
    where tickets.customer_id is not null
),

counted as (
    select
        customer_id,
        as_of_date,
        min(days_ago) as days_since_ticket,
        count(*) as n_tickets,
        count(*) filter (where days_ago < 90) as n_tickets_90d,
        count(*) filter (where days_ago < 365) as n_tickets_365d,
        count(*) filter (where not is_closed_by_then) as n_open_tickets,
        avg(minutes_to_close) / 60 as mean_hours_to_close,
        avg(satisfaction) as mean_satisfaction,
        arg_max(satisfaction, (opened_at, ticket_id)) as last_satisfaction
    from dated
    group by customer_id, as_of_date
)

select * from counted
