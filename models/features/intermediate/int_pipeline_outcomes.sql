with as_of_dates as (
    select * from {{ ref('int_as_of_dates') }}
    where is_labelled
),

opportunities as (
    select * from {{ ref('fct_opportunities') }}
),

decided as (
    select
        opportunities.customer_id,
        as_of_dates.as_of_date,
        coalesce(bool_or(opportunities.is_won and opportunities.closed_at::date <= as_of_dates.as_of_date + 90), false) as is_winning
    from opportunities
    inner join as_of_dates on
        opportunities.created_at::date <= as_of_dates.as_of_date
        and coalesce(opportunities.closed_at::date > as_of_dates.as_of_date, not opportunities.is_closed)
    where opportunities.customer_id is not null
    group by opportunities.customer_id, as_of_dates.as_of_date
)

select * from decided
