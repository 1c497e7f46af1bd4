with lines as (
    select * from {{ ref('fct_order_lines') }}
),

orders as (
    select * from {{ ref('fct_orders') }}
),

purchases as (
    select
        lines.customer_id,
        lines.product_id,
        lines.ordered_date as purchase_date,
        sum(lines.quantity) as n_units
    from lines
    inner join orders on lines.order_id = orders.order_id
    where
        lines.order_type = 'sale'
        and {{ is_counted() }}
        and lines.customer_id is not null
        and lines.product_id is not null
        and lines.quantity > 0
    group by lines.customer_id, lines.product_id, lines.ordered_date
)

select * from purchases
