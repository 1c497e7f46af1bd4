with dates as (
    select * from {{ ref('int_offer_dates') }}
    where n_back = 1
),

customers as (
    select * from {{ ref('int_offer_customers') }}
    where n_back = 1
),

purchases as (
    select * from {{ ref('int_product_purchases') }}
),

outcomes as (
    select
        purchases.customer_id,
        purchases.product_id,
        min(purchases.purchase_date) > any_value(dates.offer_date) as is_new
    from customers
    inner join dates on customers.n_back = dates.n_back
    inner join purchases on customers.customer_id = purchases.customer_id and dates.window_end_date >= purchases.purchase_date
    group by purchases.customer_id, purchases.product_id
    having max(purchases.purchase_date) > any_value(dates.offer_date)
)

select * from outcomes
