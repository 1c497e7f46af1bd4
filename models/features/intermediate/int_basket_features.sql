with as_of_dates as (
    select * from {{ ref('int_as_of_dates') }}
),

bookings as (
    select * from {{ ref('int_purchase_bookings') }}
),

orders as (
    select * from {{ ref('fct_orders') }}
),

lines as (
    select * from {{ ref('fct_order_lines') }}
),

products as (
    select * from {{ ref('dim_products') }}
),

-- Filled gaps count as gaps: they are filled with what is known today.
described as (
    select
        orders.*,
        orders.order_type = 'return' as is_return,
        case when not orders.is_channel_imputed then orders.channel end as stated_channel
    from orders
    inner join bookings on orders.order_id = bookings.order_id
),

by_order as (
    select
        described.customer_id,
        as_of_dates.as_of_date,
        count(*) filter (where described.is_return) as n_returns,
        count(*) filter (where described.is_return) / count(*) as return_share,
        count(described.promotion_code) filter (where not described.is_return) as n_promotion_orders,
        coalesce(sum(described.n_units) filter (where not described.is_return)
            / nullif(count(*) filter (where not described.is_return), 0), 0) as mean_units,
        sum(described.discount_amount) filter (where not described.is_return)
            / nullif(sum(described.net_amount + described.discount_amount) filter (where not described.is_return), 0) as discount_share,
        arg_max(described.stated_channel, (described.ordered_at, described.order_id)) as last_order_channel
    from described
    inner join as_of_dates on described.ordered_date <= as_of_dates.as_of_date
    group by described.customer_id, as_of_dates.as_of_date
),

by_category as (
    select
        described.customer_id,
        as_of_dates.as_of_date,
        case when not products.is_category_imputed then products.category end as category,
        count(*) as n_lines,
        max(described.ordered_date) as last_date
    from described
    inner join lines on described.order_id = lines.order_id
    inner join products on lines.product_id = products.product_id
    inner join as_of_dates on described.ordered_date <= as_of_dates.as_of_date
    where not described.is_return
    group by all
),

breadth as (
    select
        customer_id,
        as_of_date,
        count(category) as n_categories,
        arg_max(category, (n_lines, last_date, category)) as favourite_category
    from by_category
    group by customer_id, as_of_date
),

baskets as (
    select
        by_order.*,
        coalesce(breadth.n_categories, 0) as n_categories,
        breadth.favourite_category
    from by_order
    left join breadth on by_order.customer_id = breadth.customer_id and by_order.as_of_date = breadth.as_of_date
)

select * from baskets
