with tickets as (
    select * from {{ ref('fct_tickets') }}
),

events as (
    select
        opened_at::date as service_date,
        coalesce(category, 'unknown') as category,
        1 as n_opened,
        0 as n_closed,
        null::double as hours_to_close,
        null::bigint as satisfaction
    from tickets
    union all
    select
        closed_at::date as service_date,
        coalesce(category, 'unknown') as category,
        0 as n_opened,
        1 as n_closed,
        hours_to_close,
        satisfaction
    from tickets
    where closed_at is not null
),

summed as (
    select
        service_date,
        category,
        sum(n_opened)::bigint as n_opened,
        sum(n_closed)::bigint as n_closed,
        median(hours_to_close) as median_hours_to_close,
        count(satisfaction) as n_answers,
        avg(satisfaction) as mean_satisfaction
    from events
    group by service_date, category
),

-- A ticket without a closing time stays open here, whatever its status says.
running as (
    select
        *,
        (sum(n_opened - n_closed) over (partition by category order by service_date))::bigint as n_open
    from summed
)

select * from running
