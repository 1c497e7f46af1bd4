with customers as (
    select * from {{ ref('dim_customers') }}
),

features as (
    select * from {{ ref('int_customer_features') }}
    where as_of_date = (select as_of_date from {{ ref('int_event_horizon') }})
),

described as (
    select
        customers.customer_id,
        coalesce(features.n_orders, 0) as n_orders,
        coalesce(features.days_since_purchase <= 30, false) as has_bought_lately,
        coalesce(features.n_open_tickets > 0 and features.days_since_ticket <= 60, false) as has_open_ticket,
        coalesce(features.last_satisfaction <= 2 and features.days_since_ticket <= 30, false) as has_bad_rating,
        coalesce(customers.has_consent, false) as has_consent,
        coalesce(features.days_since_message < {{ checked_number('contact_pause_days', 0, 3650) }}, false) as was_contacted_lately,
        coalesce(features.n_messages_90d >= {{ checked_number('contact_max_90d', 0, 1000) }}, false) as was_contacted_often
    from customers
    left join features on customers.customer_id = features.customer_id
),

judged as (
    select
        *,
        has_open_ticket or has_bad_rating as has_trouble,
        has_consent and not was_contacted_lately and not was_contacted_often as may_be_contacted
    from described
)

select * from judged
