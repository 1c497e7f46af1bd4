with orders as (
    select * from {{ ref('int_order_measures') }}
),

lines as (
    select * from {{ ref('int_order_lines_cleaned') }}
),

sales as (
    select * from {{ ref('int_orders_cleaned') }}
    where order_type = 'sale'
),

-- least_spread is the smallest robust standard deviation, in logarithms: where nearly all values are equal, a tenth more is no
-- outlier, nor are three pieces.
measured as (
    select
        'amount_outlier' as rule,
        'shop.orders' as source_table,
        source_key,
        'amount' as column_name,
        customer_id as history,
        net_amount as value,
        0.1 as least_spread
    from orders
    union all
    select
        'unit_price_outlier' as rule,
        'shop.order_lines' as source_table,
        lines.source_key,
        'unit_price' as column_name,
        lines.product_id || ' in ' || year(sales.ordered_at) as history,
        (lines.unit_price * sales.exchange_rate)::double as value,
        0.1 as least_spread
    from lines
    inner join sales using (order_id)
    union all
    select
        'quantity_outlier' as rule,
        'shop.order_lines' as source_table,
        lines.source_key,
        'quantity' as column_name,
        lines.product_id as history,
        lines.quantity::double as value,
        0.5 as least_spread
    from lines
    inner join sales using (order_id)
),

positive as (
    select
        *,
        ln(value) as log_value
    from measured
    where value > 0
)

select * from positive
