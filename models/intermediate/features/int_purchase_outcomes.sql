with customers as (
    select * from {{ ref('int_customer_purchases') }}
),

as_of_dates as (
    select * from {{ ref('int_as_of_dates') }}
    where is_labelled
),

bookings as (
    select * from {{ ref('int_purchase_bookings') }}
),

following as (
    select
        bookings.customer_id,
        as_of_dates.as_of_date,
        count(distinct bookings.purchase_date) as n_orders_90d,
        sum(bookings.amount) as value_90d
    from as_of_dates
    inner join bookings on
        as_of_dates.as_of_date < bookings.purchase_date
        and as_of_dates.as_of_date + 90 >= bookings.booked_date
    group by bookings.customer_id, as_of_dates.as_of_date
),

outcomes as (
    select
        customers.customer_id,
        customers.as_of_date,
        coalesce(following.n_orders_90d, 0) as n_orders_90d,
        coalesce(following.value_90d, 0)::double as value_90d
    from customers
    inner join as_of_dates on customers.as_of_date = as_of_dates.as_of_date
    left join following
        on customers.customer_id = following.customer_id and customers.as_of_date = following.as_of_date
)

select * from outcomes
