with basket_lines as (
    select * from {{ ref('int_basket_lines') }}
    where unit = 'customer'
),

products as (
    select * from {{ ref('dim_products') }}
),

horizon as (
    select * from {{ ref('int_event_horizon') }}
),

known as (
    select
        basket_lines.basket_id as customer_id,
        basket_lines.basket_date as purchase_date,
        products.product_id,
        products.product_name,
        products.category
    from basket_lines
    inner join products on basket_lines.product_id = products.product_id
    inner join horizon on basket_lines.basket_date <= horizon.as_of_date
),

-- All products beyond the most bought ones are one state, so that the matrix stays one that can be looked at.
ranked as (
    select product_id
    from known
    group by product_id
    qualify row_number() over (order by count(distinct customer_id) desc, product_id) <= {{ var('transition_products') }}
),

states as (
    select distinct 'category' as level, customer_id, purchase_date, category as item_id, category as item
    from known
    where category is not null
    union all
    select distinct
        'product' as level,
        known.customer_id,
        known.purchase_date,
        coalesce(ranked.product_id, '(other)') as item_id,
        case when ranked.product_id is null then '(other)' else coalesce(known.product_name, known.product_id) end as item
    from known
    left join ranked on known.product_id = ranked.product_id
),

days as (
    select
        level,
        customer_id,
        purchase_date,
        count(*) as n_items,
        lead(purchase_date) over (partition by level, customer_id order by purchase_date) as next_date,
        lead(count(*)) over (partition by level, customer_id order by purchase_date) as n_next_items
    from states
    group by level, customer_id, purchase_date
),

-- Each step from a purchase day to the next one weighs 1, shared out among its pairs of items; decimals, so that no sum hangs on the order.
pairs as (
    select
        days.level,
        origin.item_id as from_item_id,
        origin.item as from_item,
        target.item_id as to_item_id,
        target.item as to_item,
        count(*) as n_transitions,
        count(distinct days.customer_id) as n_customers,
        sum((1 / (days.n_items * days.n_next_items))::decimal(18, 9)) as weight,
        median(date_diff('day', days.purchase_date, days.next_date)) as median_days
    from days
    inner join states as origin on days.level = origin.level and days.customer_id = origin.customer_id and days.purchase_date = origin.purchase_date
    inner join states as target on days.level = target.level and days.customer_id = target.customer_id and days.next_date = target.purchase_date
    group by days.level, origin.item_id, origin.item, target.item_id, target.item
),

shares as (
    select
        level,
        from_item_id,
        from_item,
        to_item_id,
        to_item,
        n_transitions,
        n_customers,
        (weight / sum(weight) over (partition by level, from_item_id))::double as probability,
        (sum(weight) over (partition by level, to_item_id) / sum(weight) over (partition by level))::double as base_probability,
        median_days::double as median_days
    from pairs
)

select
    *,
    probability / base_probability as lift
from shares
