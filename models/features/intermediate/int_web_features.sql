with as_of_dates as (
    select * from {{ ref('int_as_of_dates') }}
),

sessions as (
    select * from {{ ref('fct_web_sessions') }}
),

dated as (
    select
        sessions.*,
        as_of_dates.as_of_date,
        date_diff('day', sessions.started_at::date, as_of_dates.as_of_date) as days_ago
    from sessions
    inner join as_of_dates on sessions.ended_at::date <= as_of_dates.as_of_date
    where sessions.customer_id is not null
),

counted as (
    select
        customer_id,
        as_of_date,
        min(days_ago) as days_since_visit,
        count(*) as n_visits,
        {% for days in [30, 90, 365] %}
        count(*) filter (where days_ago < {{ days }}) as n_visits_{{ days }}d,
        {% endfor %}
        coalesce(sum(n_products_viewed) filter (where days_ago < 90), 0)::bigint as n_product_views_90d,
        count(*) filter (where has_cart and days_ago < 90) as n_carts_90d,
        count(*) filter (where has_cart and not has_purchase and days_ago < 90) as n_abandoned_carts_90d,
        arg_max(traffic_source, (started_at, web_session_id)) as last_traffic_source
    from dated
    group by customer_id, as_of_date
)

select * from counted
