{#- What is counted or summed is 0 where there was nothing; days since, means and shares of nothing are null. -#}
{%- set subjects = ['activity', 'purchase', 'basket', 'web', 'service', 'campaign', 'pipeline'] -%}
{%- set counts = [
    'n_active_days', 'n_active_days_90d', 'n_orders', 'n_orders_30d', 'n_orders_90d', 'n_orders_365d', 'n_orders_same_season',
    'order_amount', 'order_amount_90d', 'order_amount_365d', 'n_returns', 'n_promotion_orders', 'n_categories',
    'n_visits', 'n_visits_30d', 'n_visits_90d', 'n_visits_365d', 'n_product_views_90d', 'n_carts_90d', 'n_abandoned_carts_90d',
    'n_tickets', 'n_tickets_90d', 'n_tickets_365d', 'n_open_tickets',
    'n_messages', 'n_messages_90d', 'n_messages_365d', 'n_messages_opened', 'n_messages_opened_90d',
    'n_messages_clicked', 'n_messages_clicked_90d',
    'n_opportunities', 'n_open_opportunities', 'n_won_opportunities', 'n_lost_opportunities',
] -%}
with persons as (
    select * from {{ ref('int_person_features') }}
),

{% for subject in subjects %}
{{ subject }} as (
    select * from {{ ref('int_' ~ subject ~ '_features') }}
),

{% endfor %}
joined as (
    select
        persons.*,
        {% for subject in subjects %}
        {{ subject }}.* exclude (customer_id, as_of_date){{ ',' if not loop.last }}
        {% endfor %}
    from persons
    {% for subject in subjects %}
    left join {{ subject }} on persons.customer_id = {{ subject }}.customer_id and persons.as_of_date = {{ subject }}.as_of_date
    {% endfor %}
),

counted as (
    select
        * replace (
            {% for column in counts %}
            coalesce({{ column }}, 0) as {{ column }}{{ ',' if not loop.last }}
            {% endfor %}
        )
    from joined
)

select * from counted
