with as_of_dates as (
    select * from {{ ref('int_as_of_dates') }}
),

bookings as (
    select * from {{ ref('int_purchase_bookings') }}
),

lines as (
    select * from {{ ref('fct_order_lines') }}
    where order_type = 'sale'
),

products as (
    select * from {{ ref('dim_products') }}
),

counted as (
    select
        bookings.customer_id,
        as_of_dates.as_of_date,
        products.category,
        count(*) as n_lines
    from bookings
    inner join lines on bookings.order_id = lines.order_id
    inner join products on lines.product_id = products.product_id
    inner join as_of_dates on bookings.booked_date <= as_of_dates.as_of_date
    group by all
),

-- A customer's few lines cannot distinguish many small categories, so only the largest count. Having no category is uninformative.
categories as (
    select
        as_of_date,
        category,
        sum(n_lines) / sum(sum(n_lines)) over (partition by as_of_date) as usual_share
    from counted
    group by as_of_date, category
    qualify
        row_number() over (partition by as_of_date order by category = 'uncategorised', sum(n_lines) desc, category)
        <= {{ var('segment_max_categories') }}
        and (category != 'uncategorised' or count(*) over (partition by as_of_date) = 1)
),

customers as (
    select
        customer_id,
        as_of_date,
        sum(n_lines) as n_customer_lines
    from counted
    group by customer_id, as_of_date
),

-- Evidence of naive Bayes: how much likelier a category is with this customer than with all, in logarithms. Two usual lines are
-- added to each customer's own, so that a single line proves little.
shares as (
    select
        customers.customer_id,
        customers.as_of_date,
        categories.category,
        coalesce(counted.n_lines, 0) / customers.n_customer_lines as line_share,
        ln((coalesce(counted.n_lines, 0) + 2 * categories.usual_share) / ((customers.n_customer_lines + 2) * categories.usual_share)) as evidence
    from customers
    inner join categories on customers.as_of_date = categories.as_of_date
    left join counted on
        customers.customer_id = counted.customer_id
        and customers.as_of_date = counted.as_of_date
        and categories.category = counted.category
)

select * from shares
