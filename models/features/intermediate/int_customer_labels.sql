with customer_days as (
    select * from {{ ref('int_customer_days') }}
    where is_labelled
),

bookings as (
    select * from {{ ref('int_purchase_bookings') }}
),

activity as (
    select * from {{ ref('int_customer_activity') }}
),

activity_features as (
    select * from {{ ref('int_activity_features') }}
),

responses as (
    select * from {{ ref('int_campaign_outcomes') }}
),

decisions as (
    select * from {{ ref('int_pipeline_outcomes') }}
),

following as (
    select
        customer_days.customer_id,
        customer_days.as_of_date,
        count(distinct bookings.purchase_date) filter (where customer_days.as_of_date + 30 >= bookings.purchase_date) as n_orders_30d,
        count(distinct bookings.purchase_date) as n_orders_90d,
        sum(bookings.amount) as value_90d
    from customer_days
    inner join bookings on
        customer_days.customer_id = bookings.customer_id
        and customer_days.as_of_date < bookings.purchase_date
        and customer_days.as_of_date + 90 >= bookings.booked_date
    group by customer_days.customer_id, customer_days.as_of_date
),

-- Only a customer still within the expected window can leave.
staying as (
    select
        activity_features.customer_id,
        activity_features.as_of_date,
        count(activity.activity_date) > 0 as is_staying
    from activity_features
    left join activity on
        activity_features.customer_id = activity.customer_id
        and activity_features.as_of_date < activity.activity_date
        and activity_features.as_of_date + activity_features.expected_window_days >= activity.activity_date
    where activity_features.is_active
    group by activity_features.customer_id, activity_features.as_of_date
),

labels as (
    select
        customer_days.customer_id,
        customer_days.as_of_date,
        coalesce(following.n_orders_30d, 0) > 0 as buys_30d,
        coalesce(following.n_orders_90d, 0) > 0 as buys_90d,
        coalesce(following.n_orders_90d, 0) as n_orders_90d,
        coalesce(following.value_90d, 0)::double as value_90d,
        not staying.is_staying as churns,
        responses.is_responding as responds_to_campaign,
        decisions.is_winning as wins_opportunity
    from customer_days
    left join following on customer_days.customer_id = following.customer_id and customer_days.as_of_date = following.as_of_date
    left join staying on customer_days.customer_id = staying.customer_id and customer_days.as_of_date = staying.as_of_date
    left join responses on customer_days.customer_id = responses.customer_id and customer_days.as_of_date = responses.as_of_date
    left join decisions on customer_days.customer_id = decisions.customer_id and customer_days.as_of_date = decisions.as_of_date
)

select * from labels
