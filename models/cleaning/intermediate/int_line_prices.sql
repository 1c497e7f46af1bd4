with lines as (
    {{ accepted_rows('shop', 'order_lines') }}
),

orders as (
    select * from {{ ref('int_orders_repaired') }}
),

rates as (
    select * from {{ ref('int_exchange_rates') }}
),

horizon as (
    select * from {{ ref('int_event_horizon') }}
),

converted as (
    select
        lines.source_key,
        lines.order_id,
        lines.product_id,
        lines.unit_price,
        orders.currency,
        orders.ordered_at,
        orders.ordered_at::date <= horizon.as_of_date as is_known,
        year(orders.ordered_at) as price_year,
        (lines.unit_price * rates.rate)::double as price
    from lines
    inner join orders using (order_id)
    inner join rates
        on {{ rate_on('orders.currency', 'orders.ordered_at') }}
    cross join horizon
),

-- What is paid after the as-of date must not change what was cleaned before it.
usual_prices as (
    select
        product_id,
        price_year,
        count(*) as n_prices,
        median(price) as usual_price
    from converted
    where price > 0 and is_known
    group by product_id, price_year
),

-- A deviating price is informative only where most prices of the product are equal.
steadiness as (
    select
        converted.product_id,
        converted.price_year,
        avg((abs(converted.price / usual_prices.usual_price - 1) <= {{ var('currency_tolerance') }})::integer) as steady_share
    from converted
    inner join usual_prices using (product_id, price_year)
    where converted.is_known
    group by converted.product_id, converted.price_year
),

compared as (
    select
        converted.source_key,
        converted.order_id,
        converted.currency,
        converted.ordered_at,
        converted.is_known,
        converted.unit_price,
        converted.price / usual_prices.usual_price as price_ratio,
        usual_prices.usual_price,
        usual_prices.n_prices,
        steadiness.steady_share
    from converted
    inner join usual_prices using (product_id, price_year)
    inner join steadiness using (product_id, price_year)
)

select * from compared
