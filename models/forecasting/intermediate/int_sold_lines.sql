with lines as (
    select * from {{ ref('fct_order_lines') }}
),

orders as (
    select * from {{ ref('fct_orders') }}
),

products as (
    select * from {{ ref('dim_products') }}
),

-- Segments as of today: a series has today's members, whatever segment they were in when they bought.
segments as (
    select * from {{ ref('customer_segments') }}
    qualify as_of_date = max(as_of_date) over ()
),

-- A cancelled order is no sale; a return is deducted on the day it comes back.
joined as (
    select
        lines.order_line_id,
        lines.order_id,
        lines.ordered_date,
        lines.order_type = 'sale' as is_sale,
        coalesce(orders.channel, 'unknown') as channel,
        coalesce(products.category, 'unknown') as category,
        coalesce(segments.behaviour_segment_name, 'none') as segment,
        lines.quantity,
        lines.net_amount
    from lines
    inner join orders on lines.order_id = orders.order_id
    left join products on lines.product_id = products.product_id
    left join segments on orders.customer_id = segments.customer_id
    where {{ is_counted() }} and lines.order_type in ('sale', 'return')
)

select * from joined
