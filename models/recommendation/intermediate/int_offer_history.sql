with customers as (
    select * from {{ ref('int_offer_customers') }}
),

purchases as (
    select * from {{ ref('int_product_purchases') }}
),

history as (
    select
        customers.n_back,
        customers.customer_id,
        purchases.product_id,
        count(*) as n_purchases,
        {% for days in [30, 90, 360] %}
        -- Half as much for every {{ days }} days that have passed.
        sum(
            pow(0.5, date_diff('day', purchases.purchase_date, customers.offer_date) / {{ days }}.0)::decimal(9, 6)
        )::double as weight_{{ days }}d,
        {% endfor %}
        date_diff('day', max(purchases.purchase_date), any_value(customers.offer_date)) as days_since_product,
        date_diff('day', min(purchases.purchase_date), max(purchases.purchase_date)) / nullif(count(*) - 1, 0) as mean_gap_days,
        count(*) / any_value(customers.n_purchase_days) as purchase_share,
        count(*) filter (
            where purchases.purchase_date > customers.offer_date - 365 and purchases.purchase_date <= customers.offer_date - 335
        ) as n_purchases_next_last_year,
        sum(purchases.n_units)::double as n_units
    from customers
    inner join purchases
        on customers.customer_id = purchases.customer_id and customers.offer_date >= purchases.purchase_date
    group by customers.n_back, customers.customer_id, purchases.product_id
)

select * from history
