with lines as (
    select * from {{ ref('int_order_lines_cleaned') }}
),

orders as (
    select * from {{ ref('int_orders_cleaned') }}
),

sources as (
    select * from {{ ref('int_customer_sources') }}
),

joined as (
    select
        lines.source_key as order_line_id,
        lines.order_id,
        lines.line_number,
        sources.customer_id,
        lines.product_id,
        orders.ordered_at,
        orders.ordered_at::date as ordered_date,
        orders.order_type,
        lines.quantity,
        (lines.unit_price * orders.exchange_rate)::decimal(18, 4) as unit_price_amount,
        lines.discount_net_amount as discount_amount,
        lines.net_amount
    from lines
    inner join orders using (order_id)
    left join sources on sources.source_table = 'shop.customers' and sources.source_key = orders.customer_id
)

select * from joined
