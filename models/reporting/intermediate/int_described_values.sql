{%- set variables = [
    'age_years', 'income', 'household_size', 'tenure_days', 'days_since_activity', 'days_since_purchase', 'days_since_first_purchase',
    'n_orders', 'n_orders_365d', 'order_amount', 'order_amount_365d', 'mean_order_amount', 'mean_gap_days', 'n_returns', 'n_categories',
    'discount_share', 'n_visits_365d', 'n_tickets', 'n_tickets_365d', 'mean_satisfaction', 'n_messages', 'open_share', 'n_opportunities',
] -%}
with features as (
    select features.*
    from {{ ref('int_customer_features') }} as features
    inner join {{ ref('int_as_of_dates') }} as as_of_dates on features.as_of_date = as_of_dates.as_of_date
    where as_of_dates.is_current
),

long as (
    {% for variable in variables %}
    select
        customer_id,
        as_of_date,
        '{{ variable }}' as variable,
        {{ variable }}::double as value
    from features
    {{ 'union all' if not loop.last }}
    {% endfor %}
)

select * from long
