with moments as (
    select * from {{ ref('int_uplift_moments') }}
),

outcomes as (
    select * from {{ ref('int_message_outcomes') }}
),

bookings as (
    select * from {{ ref('int_purchase_bookings') }}
),

purchases as (
    select * from {{ ref('int_product_purchases') }}
),

products as (
    select * from {{ ref('dim_products') }}
),

customers as (
    select * from {{ ref('dim_customers') }}
),

days as (
    select distinct
        customer_id,
        moment_date
    from moments
),

bought as (
    select
        days.customer_id,
        days.moment_date,
        count(distinct bookings.purchase_date) as n_orders,
        count(distinct bookings.purchase_date) filter (where bookings.purchase_date >= days.moment_date - 90) as n_orders_90d,
        date_diff('day', max(bookings.purchase_date), days.moment_date) as days_since_order,
        date_diff('day', min(bookings.purchase_date), days.moment_date) as days_since_first_order
    from days
    inner join bookings on days.customer_id = bookings.customer_id and days.moment_date > bookings.booked_date
    group by days.customer_id, days.moment_date
),

messages as (
    select
        days.customer_id,
        days.moment_date,
        count(*) as n_messages,
        count(*) filter (where outcomes.has_opened) as n_opened
    from days
    inner join outcomes on days.customer_id = outcomes.customer_id and days.moment_date > outcomes.touched_date + 7
    where not outcomes.is_control
    group by days.customer_id, days.moment_date
),

main_categories as (
    select
        days.customer_id,
        days.moment_date,
        products.category
    from days
    inner join purchases on days.customer_id = purchases.customer_id and days.moment_date > purchases.purchase_date
    inner join products on purchases.product_id = products.product_id
    where products.category is not null
    group by days.customer_id, days.moment_date, products.category
    qualify row_number() over (
        partition by days.customer_id, days.moment_date order by count(*) desc, products.category asc
    ) = 1
),

described as (
    select
        moments.*,
        date_diff('day', customers.birth_date, moments.moment_date) / 365.25 as age_years,
        coalesce(bought.n_orders, 0) as n_orders,
        coalesce(bought.n_orders_90d, 0) as n_orders_90d,
        bought.days_since_order,
        bought.days_since_first_order,
        coalesce(messages.n_messages, 0) as n_messages,
        (coalesce(messages.n_opened, 0) + 0.5) / (coalesce(messages.n_messages, 0) + 2) as opened_share,
        main_categories.category as main_category
    from moments
    inner join customers on moments.customer_id = customers.customer_id
    left join bought on moments.customer_id = bought.customer_id and moments.moment_date = bought.moment_date
    left join messages on moments.customer_id = messages.customer_id and moments.moment_date = messages.moment_date
    left join main_categories
        on moments.customer_id = main_categories.customer_id and moments.moment_date = main_categories.moment_date
)

select * from described
