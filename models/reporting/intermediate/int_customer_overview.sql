with customers as (
    select * from {{ ref('dim_customers') }}
),

features as (
    select features.*
    from {{ ref('int_customer_features') }} as features
    inner join {{ ref('int_as_of_dates') }} as as_of_dates on features.as_of_date = as_of_dates.as_of_date
    where as_of_dates.is_current
),

expected as (
    select * from {{ ref('customer_value') }}
),

rfm as (
    select * from {{ ref('customer_rfm') }}
),

scores as (
    select * from {{ ref('int_current_scores') }}
),

segments as (
    select * from {{ ref('customer_segments') }}
),

states as (
    select * from {{ ref('customer_lifecycle') }}
    where is_current
),

contacts as (
    select * from {{ ref('int_customer_contacts') }}
),

joined as (
    select
        customers.customer_id,
        features.as_of_date,
        nullif(concat_ws(' ', customers.first_name, customers.last_name), '') as full_name,
        customers.company,
        customers.email,
        coalesce(customers.mobile, customers.phone) as phone,
        customers.city,
        customers.country,
        customers.language,
        customers.has_consent,
        customers.first_seen_at::date as first_seen_date,
        customers.n_sources,
        coalesce(features.n_orders, 0) as n_orders,
        coalesce(features.order_amount, 0) as order_amount,
        coalesce(features.order_amount_365d, 0) as order_amount_365d,
        features.as_of_date - features.days_since_purchase::integer as last_purchase_date,
        features.days_since_purchase,
        features.favourite_category,
        expected.p_alive,
        expected.expected_orders_365d,
        expected.expected_value_365d,
        expected.decile as value_decile,
        rfm.rfm_class,
        scores.p_buys_90d,
        scores.p_churns,
        scores.buys_90d_reason,
        segments.behaviour_segment_name,
        segments.needs_segment_name,
        states.state,
        states.probability as state_probability,
        states.next_state,
        coalesce(contacts.n_tickets, 0) as n_tickets,
        coalesce(contacts.n_open_tickets, 0) as n_open_tickets,
        contacts.last_ticket_date,
        contacts.last_ticket_category,
        contacts.last_satisfaction,
        coalesce(contacts.n_messages, 0) as n_messages,
        contacts.last_message_date,
        contacts.last_campaign_name,
        contacts.has_answered_last_message,
        contacts.last_visit_date
    from customers
    left join features on customers.customer_id = features.customer_id
    left join expected on features.customer_id = expected.customer_id and features.as_of_date = expected.as_of_date
    left join rfm on features.customer_id = rfm.customer_id and features.as_of_date = rfm.as_of_date
    left join segments on features.customer_id = segments.customer_id and features.as_of_date = segments.as_of_date
    left join scores on customers.customer_id = scores.customer_id
    left join states on customers.customer_id = states.customer_id
    left join contacts on customers.customer_id = contacts.customer_id
)

select * from joined
