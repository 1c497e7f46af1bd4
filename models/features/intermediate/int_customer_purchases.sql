with as_of_dates as (
    select * from {{ ref('int_as_of_dates') }}
),

bookings as (
    select * from {{ ref('int_purchase_bookings') }}
),

-- Orders of one day are one purchase; what was given back later than the as-of date is not known on it.
purchases as (
    select
        bookings.customer_id,
        as_of_dates.as_of_date,
        bookings.purchase_date,
        sum(bookings.amount) as amount
    from as_of_dates
    inner join bookings on as_of_dates.as_of_date >= bookings.booked_date
    group by bookings.customer_id, as_of_dates.as_of_date, bookings.purchase_date
),

dated as (
    select
        *,
        min(purchase_date) over (partition by customer_id, as_of_date) as first_purchase_date
    from purchases
),

counted as (
    select
        customer_id,
        as_of_date,
        first_purchase_date,
        max(purchase_date) as last_purchase_date,
        count(*) - 1 as n_repeat_orders,
        date_diff('day', first_purchase_date, max(purchase_date)) as recency_days,
        date_diff('day', first_purchase_date, as_of_date) as age_days,
        -- State before CALIBRATION_DAYS of crm_mining.value.tables, by which p_alive is calibrated.
        nullif(count(*) filter (where purchase_date <= as_of_date - 180), 0) - 1 as n_repeat_orders_before,
        date_diff('day', first_purchase_date, max(purchase_date) filter (where purchase_date <= as_of_date - 180)) as recency_days_before,
        (sum(amount) filter (where purchase_date > first_purchase_date) / nullif(count(*) - 1, 0))::double as mean_repeat_amount
    from dated
    group by customer_id, as_of_date, first_purchase_date
)

select * from counted
