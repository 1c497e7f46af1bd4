with orders as (
    select * from {{ ref('fct_orders') }}
    where order_type = 'sale' and {{ is_counted('fct_orders') }}
),

order_lines as (
    select * from {{ ref('fct_order_lines') }}
    where product_id is not null and quantity > 0
),

web_events as (
    select * from {{ ref('int_web_event_sessions') }}
    where product_id is not null
),

sold as (
    select
        orders.order_id,
        orders.customer_id,
        orders.ordered_date,
        order_lines.product_id
    from orders
    inner join order_lines on orders.order_id = order_lines.order_id
),

basket_lines as (
    select
        'order' as unit,
        order_id as basket_id,
        ordered_date as basket_date,
        product_id
    from sold
    union all
    select
        'customer' as unit,
        customer_id as basket_id,
        ordered_date as basket_date,
        product_id
    from sold
    where customer_id is not null
    union all
    -- All of a visit counts on the day on which it began.
    select
        'session' as unit,
        web_session_id as basket_id,
        min(event_at::date) over (partition by web_session_id) as basket_date,
        product_id
    from web_events
)

-- A product in two lines of an order is bought once.
select distinct * from basket_lines
