with tickets as (
    select * from {{ ref('fct_tickets') }}
    where customer_id is not null
),

as_of_dates as (
    select * from {{ ref('int_as_of_dates') }}
),

-- On an as-of date a ticket that is closed later is open, and its answer to the survey is not known.
known as (
    select
        tickets.customer_id,
        as_of_dates.as_of_date,
        tickets.ticket_id,
        tickets.opened_at,
        tickets.opened_at::date + 90 > as_of_dates.as_of_date as is_recent,
        coalesce(tickets.closed_at::date <= as_of_dates.as_of_date, false) as is_closed,
        case when tickets.closed_at::date <= as_of_dates.as_of_date then tickets.hours_to_close end as hours_to_close,
        case when coalesce(tickets.closed_at, tickets.opened_at)::date <= as_of_dates.as_of_date then tickets.satisfaction end as satisfaction
    from tickets
    inner join as_of_dates on tickets.opened_at::date <= as_of_dates.as_of_date
),

summed as (
    select
        customer_id,
        as_of_date,
        count(*) as n_tickets,
        count(*) filter (where is_recent) as n_tickets_90d,
        count(*) filter (where not is_closed) as n_open_tickets,
        max(opened_at)::date as last_opened_date,
        date_diff('day', max(opened_at)::date, as_of_date) as days_since_last_ticket,
        median(hours_to_close) as median_hours_to_close,
        count(satisfaction) as n_answers,
        avg(satisfaction) as mean_satisfaction,
        arg_max(satisfaction, (opened_at, ticket_id)) filter (where satisfaction is not null) as last_satisfaction
    from known
    group by customer_id, as_of_date
),

-- Unhappy counts before busy: an answer of 1 or 2 says more than a number of tickets.
judged as (
    select
        *,
        case
            when last_satisfaction <= 2 then 'unhappy'
            when n_open_tickets >= 2 or n_tickets_90d >= 3 then 'busy'
            when n_open_tickets = 1 then 'waiting'
            when last_satisfaction >= 4 then 'satisfied'
            else 'quiet'
        end as service_health
    from summed
)

select * from judged
