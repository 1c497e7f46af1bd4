with orders as (
    select * from {{ ref('fct_orders') }}
),

bookings as (
    select * from {{ ref('int_purchase_bookings') }}
),

first_purchases as (
    select
        customer_id,
        min(purchase_date) as first_purchase_date
    from bookings
    group by customer_id
),

-- A cancelled order is no sale; a return is deducted on the day it comes back.
kept as (
    select
        orders.*,
        orders.order_type = 'sale' as is_sale,
        orders.ordered_date = first_purchases.first_purchase_date and orders.order_type = 'sale' as is_first_day
    from orders
    left join first_purchases on orders.customer_id = first_purchases.customer_id
    where {{ is_counted() }} and orders.order_type in ('sale', 'return')
),

summed as (
    select
        ordered_date as sales_date,
        coalesce(channel, 'unknown') as channel,
        count(*) filter (where is_sale) as n_orders,
        count(*) filter (where not is_sale) as n_returns,
        count(distinct customer_id) filter (where is_sale) as n_customers,
        count(distinct customer_id) filter (where is_first_day) as n_new_customers,
        sum(n_units)::decimal(18, 4) as n_units,
        coalesce(sum(net_amount) filter (where is_sale), 0)::decimal(18, 2) as sold_amount,
        coalesce(sum(net_amount) filter (where not is_sale), 0)::decimal(18, 2) as returned_amount,
        sum(net_amount)::decimal(18, 2) as revenue_amount,
        sum(discount_amount)::decimal(18, 2) as discount_amount
    from kept
    group by ordered_date, coalesce(channel, 'unknown')
)

select * from summed
