{#- Three kinds of segment: the main category of what a customer buys, the country, and everybody. -#}
with dates as (
    select * from {{ ref('int_offer_dates') }}
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

recent as (
    select
        dates.n_back,
        purchases.customer_id,
        purchases.product_id,
        products.category,
        customers.country
    from dates
    inner join purchases
        on dates.offer_date >= purchases.purchase_date
        and dates.offer_date - 90 < purchases.purchase_date
    left join products on purchases.product_id = products.product_id
    left join customers on purchases.customer_id = customers.customer_id
),

main_categories as (
    select
        n_back,
        customer_id,
        category
    from recent
    where category is not null
    group by n_back, customer_id, category
    qualify row_number() over (partition by n_back, customer_id order by count(*) desc, category asc) = 1
),

members as (
    select distinct
        recent.n_back,
        recent.customer_id,
        recent.product_id,
        unnest(['all', 'country:' || recent.country, 'category:' || main_categories.category]) as segment
    from recent
    left join main_categories
        on recent.n_back = main_categories.n_back and recent.customer_id = main_categories.customer_id
),

sizes as (
    select
        n_back,
        segment,
        count(distinct customer_id) as n_customers
    from members
    where segment is not null
    group by n_back, segment
),

counted as (
    select
        n_back,
        segment,
        product_id,
        count(*) as n_buyers
    from members
    where segment is not null
    group by n_back, segment, product_id
),

-- The share of a small segment is shrunk towards that of everybody, as if twenty average customers belonged to it.
shrunk as (
    select
        counted.n_back,
        counted.segment,
        counted.product_id,
        counted.n_buyers,
        (counted.n_buyers + 20.0 * everybody.n_buyers / everybody_size.n_customers) / (sizes.n_customers + 20) as share
    from counted
    inner join sizes on counted.n_back = sizes.n_back and counted.segment = sizes.segment
    inner join counted as everybody
        on counted.n_back = everybody.n_back and counted.product_id = everybody.product_id and everybody.segment = 'all'
    inner join sizes as everybody_size on counted.n_back = everybody_size.n_back and everybody_size.segment = 'all'
)

select * from shrunk
