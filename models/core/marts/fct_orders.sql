with orders as (
    select * from {{ ref('int_orders_cleaned') }}
),

lines as (
    select * from {{ ref('int_order_lines_cleaned') }}
),

sources as (
    select * from {{ ref('int_customer_sources') }}
),

totals as (
    select
        order_id,
        count(*) as n_lines,
        sum(quantity) as n_units,
        sum(net_amount) as net_amount,
        sum(discount_net_amount) as discount_amount
    from lines
    group by order_id
),

joined as (
    select
        orders.order_id,
        sources.customer_id,
        orders.customer_id as shop_customer_id,
        orders.customer_id is null as is_guest,
        orders.ordered_at,
        orders.ordered_at::date as ordered_date,
        orders.order_type,
        orders.returned_order_id,
        orders.status,
        orders.channel,
        orders.is_channel_imputed,
        orders.promotion_code,
        orders.shipped_at,
        orders.currency as order_currency,
        orders.exchange_rate,
        coalesce(totals.n_lines, 0) as n_lines,
        coalesce(totals.n_units, 0)::decimal(18, 4) as n_units,
        coalesce(totals.discount_amount, 0)::decimal(18, 2) as discount_amount,
        coalesce(totals.net_amount, 0)::decimal(18, 2) as net_amount,
        (orders.amount * orders.exchange_rate)::decimal(18, 2) as stated_amount
    from orders
    left join totals using (order_id)
    left join sources on sources.source_table = 'shop.customers' and sources.source_key = orders.customer_id
)

select * from joined
