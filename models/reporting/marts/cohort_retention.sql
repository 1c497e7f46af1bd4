with horizon as (
    select * from {{ ref('int_event_horizon') }}
),

bookings as (
    select bookings.*
    from {{ ref('int_purchase_bookings') }} as bookings
    cross join horizon
    where bookings.booked_date <= horizon.as_of_date
),

cohorts as (
    select
        customer_id,
        date_trunc('month', min(purchase_date))::date as cohort_month
    from bookings
    group by customer_id
),

sizes as (
    select
        cohorts.cohort_month,
        horizon.as_of_date,
        count(*) as n_customers
    from cohorts
    cross join horizon
    group by cohorts.cohort_month, horizon.as_of_date
),

-- Months in which nobody came back are rows, too.
grid as (
    select
        cohort_month,
        as_of_date,
        n_customers,
        unnest(generate_series(cohort_month, as_of_date, interval 1 month))::date as month
    from sizes
),

purchases as (
    select
        cohorts.cohort_month,
        date_trunc('month', bookings.purchase_date)::date as month,
        count(distinct bookings.customer_id) as n_active_customers,
        count(distinct concat(bookings.customer_id, ' ', bookings.purchase_date)) as n_orders,
        sum(bookings.amount) as revenue_amount
    from bookings
    inner join cohorts on bookings.customer_id = cohorts.customer_id
    group by cohorts.cohort_month, date_trunc('month', bookings.purchase_date)
),

retention as (
    select
        grid.cohort_month,
        date_diff('month', grid.cohort_month, grid.month) as months_since_first,
        grid.month,
        grid.n_customers,
        coalesce(purchases.n_active_customers, 0) as n_active_customers,
        coalesce(purchases.n_active_customers, 0) / grid.n_customers as retention_share,
        coalesce(purchases.n_orders, 0) as n_orders,
        coalesce(purchases.revenue_amount, 0)::decimal(18, 2) as revenue_amount,
        (sum(coalesce(purchases.revenue_amount, 0)) over (
            partition by grid.cohort_month order by grid.month
        ) / grid.n_customers)::decimal(18, 2) as revenue_per_customer_to_date,
        last_day(grid.month) <= grid.as_of_date as is_complete
    from grid
    left join purchases on grid.cohort_month = purchases.cohort_month and grid.month = purchases.month
)

select * from retention
