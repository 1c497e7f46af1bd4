with orders as (
    select * from {{ ref('int_orders_cleaned') }}
    where order_type = 'sale'
),

lines as (
    select * from {{ ref('int_order_lines_cleaned') }}
),

sources as (
    select * from {{ ref('int_customer_sources') }}
    where source_table = 'shop.customers'
),

totals as (
    select
        order_id,
        sum(net_amount)::double as amount,
        sum(quantity)::double as n_units,
        count(*) as n_lines,
        count(distinct product_id) as n_products,
        sum(discount_net_amount)::double as discount,
        max(net_amount)::double as largest_line
    from lines
    group by order_id
),

-- Logarithms: twice the usual size is as odd at ten as at a thousand.
measured as (
    select
        orders.source_key,
        sources.customer_id,
        totals.amount as net_amount,
        ln(1 + greatest(totals.amount, 0)) as log_amount,
        ln(totals.n_lines) as log_lines,
        ln(1 + greatest(totals.n_units, 0)) as log_units,
        ln(1 + greatest(totals.amount / nullif(totals.n_units, 0), 0)) as log_amount_per_unit,
        totals.n_lines::double / totals.n_products as lines_per_product,
        totals.discount / nullif(totals.discount + totals.amount, 0) as discount_share,
        totals.largest_line / nullif(totals.amount, 0) as largest_line_share,
        ln(1 + date_diff('hour', orders.ordered_at, orders.shipped_at)) as log_hours_to_ship,
        hour(orders.ordered_at)::double as hour_of_day
    from orders
    inner join totals using (order_id)
    left join sources on sources.source_key = orders.customer_id
)

select * from measured
