with orders as (
    select * from {{ ref('fct_orders') }}
),

-- A cancelled order is no purchase, whenever it was cancelled: the sources don't say when.
kept as (
    select * from orders
    where customer_id is not null and {{ is_counted() }}
),

sales as (
    select
        order_id,
        customer_id,
        ordered_date as purchase_date,
        ordered_date as booked_date,
        net_amount as amount
    from kept
    where order_type = 'sale'
),

-- A return is deducted from the purchase it names or, where it names none, from the customer's last one before it.
given_back as (
    select
        kept.order_id,
        kept.customer_id,
        coalesce(max(sales.purchase_date) filter (where sales.order_id = kept.returned_order_id), max(sales.purchase_date)) as purchase_date,
        any_value(kept.ordered_date) as booked_date,
        any_value(kept.net_amount) as amount
    from kept
    inner join sales on kept.customer_id = sales.customer_id and kept.ordered_date >= sales.purchase_date
    where kept.order_type = 'return'
    group by kept.order_id, kept.customer_id
),

bookings as (
    select * from sales
    union all
    select * from given_back
)

select * from bookings
