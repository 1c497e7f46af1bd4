{#- What may be done for each customer, over which channel, and what it would bring. Nothing is chosen here. -#}
with customers as (
    select * from {{ ref('dim_customers') }}
),

customer_values as (
    select * from {{ ref('customer_value') }}
    where as_of_date = (select as_of_date from {{ ref('int_event_horizon') }})
),

rules as (
    select * from {{ ref('action_rules') }}
),

channels as (
    select * from {{ ref('channel_costs') }}
),

uplifts as (
    select * from {{ ref('int_uplift_scores') }}
),

situations as (
    select * from {{ ref('int_action_situations') }}
),

-- Who has not bought yet is worth the usual purchase.
usual as (
    select coalesce(avg(expected_order_amount::decimal(18, 2)), 0)::double as order_amount
    from customer_values
),

eligible as (
    select
        customers.customer_id,
        rules.action,
        rules.priority,
        rules.is_marketing,
        rules.fixed_probability,
        rules.fixed_cost_amount,
        rules.reason,
        coalesce(customer_values.expected_order_amount, usual.order_amount) as order_amount,
        coalesce(customer_values.expected_value_365d, 0) as expected_value_365d,
        customers.email is not null as has_email,
        customers.mobile is not null as has_mobile,
        customers.street is not null and customers.city is not null as has_address
    from customers
    cross join usual
    inner join situations on customers.customer_id = situations.customer_id
    left join customer_values on customers.customer_id = customer_values.customer_id
    inner join rules
        on coalesce(customer_values.p_alive, 1) >= rules.min_p_alive
        and coalesce(customer_values.p_alive, 1) <= rules.max_p_alive
        and coalesce(customer_values.decile, 10) <= rules.max_decile
        and situations.n_orders >= rules.min_orders
    where
        (rules.action != 'resolve_ticket_first' or situations.has_trouble)
        and (rules.action != 'thank' or situations.has_bought_lately)
        and (not rules.is_marketing or situations.may_be_contacted)
),

options as (
    select
        eligible.customer_id,
        eligible.action,
        eligible.priority,
        eligible.is_marketing,
        eligible.reason,
        coalesce(channels.channel, 'service') as channel,
        coalesce(case when eligible.is_marketing then uplifts.uplift end, eligible.fixed_probability) as probability,
        {{ checked_number('margin_share', 0, 1) }}
        * case when eligible.is_marketing then eligible.order_amount else eligible.expected_value_365d end as value_amount,
        case when eligible.is_marketing then channels.cost_amount else eligible.fixed_cost_amount end as cost_amount
    from eligible
    left join channels
        on eligible.is_marketing
        and case channels.contact
            when 'email' then eligible.has_email
            when 'mobile' then eligible.has_mobile
            when 'address' then eligible.has_address
        end
    left join uplifts
        on eligible.customer_id = uplifts.customer_id and channels.channel = uplifts.channel and uplifts.method != 'none'
    where not eligible.is_marketing or channels.channel is not null
)

select
    *,
    probability * value_amount - cost_amount as expected_value
from options
