with as_of_dates as (
    select * from {{ ref('int_as_of_dates') }}
),

activity as (
    select * from {{ ref('int_customer_activity') }}
),

counted as (
    select
        activity.customer_id,
        as_of_dates.as_of_date,
        count(*) as n_active_days,
        count(*) filter (where activity.activity_date > as_of_dates.as_of_date - 90) as n_active_days_90d,
        date_diff('day', max(activity.activity_date), as_of_dates.as_of_date) as days_since_activity,
        date_diff('day', min(activity.activity_date), max(activity.activity_date)) / nullif(count(*) - 1, 0) as mean_activity_gap_days
    from activity
    inner join as_of_dates on activity.activity_date <= as_of_dates.as_of_date
    group by activity.customer_id, as_of_dates.as_of_date
),

-- Twice the usual gap, at least 30 days; beyond 90 days the windows of two as-of dates would overlap.
expected as (
    select
        *,
        least(greatest(ceil(2 * coalesce(mean_activity_gap_days, 45)), 30), 90)::integer as expected_window_days
    from counted
),

judged as (
    select
        *,
        days_since_activity <= expected_window_days as is_active
    from expected
)

select * from judged
