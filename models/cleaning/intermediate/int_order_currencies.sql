with prices as (
    select * from {{ ref('int_line_prices') }}
),

rates as (
    select * from {{ ref('int_exchange_rates') }}
),

used_currencies as (
    select distinct currency from prices
    where is_known
),

-- Orders none of whose lines has its product's usual price, though all these products have a steady one.
suspicious as (
    select order_id
    from prices
    group by order_id
    having
        min(abs(price_ratio - 1)) > {{ var('currency_tolerance') }}
        and min(n_prices) >= {{ var('unit_error_min_prices') }}
        and min(steady_share) >= {{ var('steady_price_share') }}
),

candidates as (
    select
        prices.order_id,
        rates.currency,
        max(abs(prices.unit_price * rates.rate / prices.usual_price - 1)) as largest_deviation
    from prices
    inner join suspicious using (order_id)
    inner join rates
        on
            rates.currency != prices.currency
            and prices.ordered_at >= rates.valid_from
            and prices.ordered_at < rates.valid_to
    inner join used_currencies on used_currencies.currency = rates.currency
    group by prices.order_id, rates.currency
),

corrected as (
    select
        order_id,
        arg_min(currency, (largest_deviation, currency)) as currency
    from candidates
    where largest_deviation <= {{ var('currency_tolerance') }}
    group by order_id
)

select * from corrected
