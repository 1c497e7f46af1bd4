with as_of_dates as (
    select * from {{ ref('int_as_of_dates') }}
),

touches as (
    select * from {{ ref('fct_campaign_touches') }}
),

-- The control group got no message. Opening and clicking are known from their own days on.
dated as (
    select
        touches.customer_id,
        as_of_dates.as_of_date,
        date_diff('day', touches.touched_at::date, as_of_dates.as_of_date) as days_ago,
        case when touches.opened_at::date <= as_of_dates.as_of_date
            then date_diff('day', touches.opened_at::date, as_of_dates.as_of_date) end as opened_days_ago,
        case when touches.clicked_at::date <= as_of_dates.as_of_date
            then date_diff('day', touches.clicked_at::date, as_of_dates.as_of_date) end as clicked_days_ago
    from touches
    inner join as_of_dates on touches.touched_at::date <= as_of_dates.as_of_date
    where not touches.is_control and touches.customer_id is not null
),

counted as (
    select
        customer_id,
        as_of_date,
        min(days_ago) as days_since_message,
        count(*) as n_messages,
        count(*) filter (where days_ago < 90) as n_messages_90d,
        count(*) filter (where days_ago < 365) as n_messages_365d,
        count(opened_days_ago) as n_messages_opened,
        count(clicked_days_ago) as n_messages_clicked,
        count(*) filter (where opened_days_ago < 90) as n_messages_opened_90d,
        count(*) filter (where clicked_days_ago < 90) as n_messages_clicked_90d,
        min(least(opened_days_ago, clicked_days_ago)) as days_since_response,
        count(opened_days_ago) / count(*) as open_share
    from dated
    group by customer_id, as_of_date
)

select * from counted
