with persons as (
    select * from {{ ref('int_person_records_cleaned') }}
),

orders as (
    select * from {{ ref('int_orders_cleaned') }}
),

lines as (
    select * from {{ ref('int_order_lines_cleaned') }}
),

totals as (
    select
        order_id,
        round(sum(quantity * unit_price - coalesce(discount_amount, 0)), 2) as lines_amount,
        count(*) as n_lines
    from lines
    group by order_id
),

ages as (
    select
        *,
        date_diff('day', birth_date, created_at::date) / 365.25 as age
    from persons
    where birth_date is not null and created_at is not null
),

issues as (
    select
        source_table,
        source_key,
        'birth_date' as column_name,
        'implausible_age' as rule,
        birth_date::varchar as value,
        'an age of {{ var("youngest_customer_age") }} to {{ var("oldest_customer_age") }} at the registration on ' || created_at::date as expected,
        null as repair
    from ages
    where age not between {{ var('youngest_customer_age') }} and {{ var('oldest_customer_age') }}
    union all
    select
        'shop.orders' as source_table,
        orders.source_key,
        'ordered_at' as column_name,
        'returned_before_ordered' as rule,
        orders.ordered_at::varchar as value,
        'not before the order it returns, ' || bought.ordered_at as expected,
        null as repair
    from orders
    inner join orders as bought on bought.order_id = orders.returned_order_id
    where orders.ordered_at < bought.ordered_at
    union all
    -- A cent per line may be lost in rounding. Usually a line was rejected and the total is right, so no repair.
    select
        'shop.orders' as source_table,
        orders.source_key,
        'amount' as column_name,
        'amount_against_lines' as rule,
        {{ number_text('orders.amount') }} as value,
        'the sum of its accepted lines, ' || {{ number_text('totals.lines_amount') }} as expected,
        null as repair
    from orders
    inner join totals using (order_id)
    where abs(orders.amount - totals.lines_amount) > 0.01 * totals.n_lines
)

select * from issues
