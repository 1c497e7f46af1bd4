with orders as (
    select * from {{ ref('fct_orders') }}
    where order_type = 'sale' and customer_id is not null
),

order_lines as (
    select * from {{ ref('fct_order_lines') }}
),

products as (
    select * from {{ ref('dim_products') }}
),

tickets as (
    select * from {{ ref('fct_tickets') }}
    where customer_id is not null
),

bought as (
    select
        orders.customer_id,
        orders.ordered_at as event_at,
        orders.channel,
        products.category
    from orders
    inner join order_lines on orders.order_id = order_lines.order_id
    inner join products on order_lines.product_id = products.product_id
),

events as (
    select
        customer_id,
        event_at,
        'bought ' || category as item_id,
        false as is_ticket
    from bought
    union all
    select
        customer_id,
        event_at,
        'ordered by ' || channel as item_id,
        false as is_ticket
    from bought
    union all
    select
        customer_id,
        event_at,
        'bought ' || category || ' by ' || channel as item_id,
        false as is_ticket
    from bought
    union all
    select
        customer_id,
        opened_at as event_at,
        'ticket ' || category as item_id,
        true as is_ticket
    from tickets
)

select distinct * from events
where item_id is not null
