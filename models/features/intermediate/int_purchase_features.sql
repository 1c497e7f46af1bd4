with purchases as (
    select * from {{ ref('int_customer_purchases') }}
),

bookings as (
    select * from {{ ref('int_purchase_bookings') }}
),

-- Returns up to the as-of date are deducted from the purchase they belong to.
by_day as (
    select
        purchases.customer_id,
        purchases.as_of_date,
        bookings.purchase_date,
        date_diff('day', bookings.purchase_date, purchases.as_of_date) as days_ago,
        sum(bookings.amount) as amount
    from purchases
    inner join bookings on purchases.customer_id = bookings.customer_id and purchases.as_of_date >= bookings.booked_date
    group by purchases.customer_id, purchases.as_of_date, bookings.purchase_date
),

spaced as (
    select
        *,
        date_diff('day', lag(purchase_date) over (
            partition by customer_id, as_of_date order by purchase_date
        ), purchase_date) as gap_days
    from by_day
),

counted as (
    select
        customer_id,
        as_of_date,
        min(days_ago) as days_since_purchase,
        max(days_ago) as days_since_first_purchase,
        count(*) as n_orders,
        {% for days in [30, 90, 365] %}
        count(*) filter (where days_ago < {{ days }}) as n_orders_{{ days }}d,
        {% endfor %}
        -- The same 90 days of last year: seasons come back.
        count(*) filter (where days_ago between 275 and 364) as n_orders_same_season,
        sum(amount) as order_amount,
        {% for days in [90, 365] %}
        coalesce(sum(amount) filter (where days_ago < {{ days }}), 0) as order_amount_{{ days }}d,
        {% endfor %}
        sum(amount) / count(*) as mean_order_amount,
        arg_max(amount, purchase_date) as last_order_amount,
        avg(gap_days) as mean_gap_days,
        -- In whole numbers, whose sums don't depend on the order of the rows.
        sqrt((count(gap_days) * sum(gap_days * gap_days) - sum(gap_days) * sum(gap_days))::double)
            / nullif(sum(gap_days), 0) as gap_variation,
        arg_max(gap_days, purchase_date) / nullif(avg(gap_days), 0) as last_gap_ratio
    from spaced
    group by customer_id, as_of_date
),

-- Overdue: the silence, in usual gaps; who bought once is overdue after their own time as a customer.
overdue as (
    select
        *,
        days_since_purchase / nullif(mean_gap_days, 0) as overdue_ratio
    from counted
)

select * from overdue
