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

-- All products beyond the most bought ones are one state, so that the matrix stays readable.
ranked as (
    select product_id
    from known
    group by product_id
    qualify row_number() over (order by count(distinct customer_id) desc, product_id) <= {{ var('transition_products') }}
),

states as (
    select distinct
        'category' as level,
        customer_id,
        purchase_date,
        category as item_id,
        category as item
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
)

select * from states
