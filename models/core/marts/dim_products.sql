with products as (
    select * from {{ ref('int_products_cleaned') }}
),

rates as (
    select * from {{ ref('int_exchange_rates') }}
),

horizon as (
    select * from {{ ref('int_event_horizon') }}
),

priced as (
    select
        products.product_id,
        products.product_name,
        products.category,
        products.is_category_imputed,
        (products.list_price * rates.rate)::decimal(18, 2) as list_price_amount,
        (products.unit_cost * rates.rate)::decimal(18, 2) as unit_cost_amount,
        products.is_unit_cost_imputed,
        products.launched_at,
        products.discontinued_at,
        coalesce(products.discontinued_at::date > horizon.as_of_date, true) as is_available
    from products
    cross join horizon
    inner join rates on {{ rate_on('products.currency', 'coalesce(products.launched_at::date, horizon.last_event_date)') }}
)

select * from priced
