with customers as (
    select * from {{ ref('dim_customers') }}
),

horizon as (
    select * from {{ ref('int_event_horizon') }}
),

situations as (
    select * from {{ ref('int_action_situations') }}
),

options as (
    select * from {{ ref('int_action_options') }}
),

offers as (
    select * from {{ ref('customer_recommendations') }}
    where recommendation_rank = 1
),

-- Service first, then what brings most; what brings nothing is not done.
best as (
    select * from options
    where not is_marketing or expected_value > 0
    qualify row_number() over (
        partition by customer_id order by is_marketing asc, expected_value desc, priority asc, cost_amount asc, channel asc
    ) = 1
),

-- Under a budget what brings most for its cost comes first.
budgeted as (
    select
        *,
        sum(cost_amount::decimal(18, 4)) over (
            order by is_marketing asc, expected_value / greatest(cost_amount, 0.0001) desc, customer_id asc rows unbounded preceding
        ) as total_cost_amount,
        row_number() over (order by is_marketing asc, expected_value / greatest(cost_amount, 0.0001) desc, customer_id asc) as action_rank
    from best
),

affordable as (
    select * from budgeted
    {% if var('action_budget_amount') | string | length %}
    where total_cost_amount <= {{ checked_number('action_budget_amount', 0, 1000000000000) }}
    {% endif %}
),

reached as (
    select distinct customer_id
    from options
),

chosen as (
    select
        customers.customer_id,
        horizon.as_of_date,
        coalesce(affordable.action, 'leave_alone') as action,
        case when affordable.action in ('retain', 'win_back', 'cross_sell') then offers.product_id end as product_id,
        affordable.channel,
        affordable.probability,
        affordable.value_amount::decimal(18, 2) as value_amount,
        affordable.cost_amount::decimal(18, 2) as cost_amount,
        coalesce(affordable.expected_value, 0)::decimal(18, 4) as expected_value,
        affordable.action_rank::integer as action_rank,
        case
            when affordable.action in ('retain', 'win_back', 'cross_sell') and offers.product_id is not null
                then affordable.reason || '; ' || offers.product_name || ': ' || offers.reason
            when affordable.action is not null then affordable.reason
            when best.action is not null then 'other actions bring more for the budget'
            when not situations.has_consent then 'no consent to be written to'
            when situations.was_contacted_lately then 'had a message in the last {{ var('contact_pause_days') }} days'
            when situations.was_contacted_often then 'had {{ var('contact_max_90d') }} messages or more in 90 days'
            when reached.customer_id is null then 'no address to write to'
            else 'no message is expected to pay for itself'
        end as reason
    from customers
    cross join horizon
    inner join situations on customers.customer_id = situations.customer_id
    left join affordable on customers.customer_id = affordable.customer_id
    left join best on customers.customer_id = best.customer_id
    left join offers on customers.customer_id = offers.customer_id
    left join reached on customers.customer_id = reached.customer_id
)

select * from chosen
