with lines as (
    {{ accepted_rows('shop', 'order_lines') }}
),

orders as (
    select * from {{ ref('int_orders_cleaned') }}
),

prices as (
    select * from {{ ref('int_line_prices') }}
),

-- A price is in the wrong unit when it is far from the product's usual price and a hundredth or a hundredfold is near it.
repaired as (
    select
        lines.*,
        orders.exchange_rate,
        case
            when prices.currency != orders.currency
                or prices.n_prices < {{ var('unit_error_min_prices') }}
                or prices.steady_share < {{ var('steady_price_share') }}
                then lines.unit_price
            when {{ is_near('prices.price_ratio / 100', var('unit_error_tolerance')) }} then lines.unit_price / 100
            when {{ is_near('prices.price_ratio * 100', var('unit_error_tolerance')) }} then lines.unit_price * 100
            else lines.unit_price
        end::decimal(18, 4) as repaired_price,
        case
            when orders.order_type = 'sale' and orders.has_stated_type then abs(lines.quantity) else lines.quantity
        end as repaired_quantity
    from lines
    inner join orders using (order_id)
    left join prices on prices.source_key = lines.source_key
),

cleaned as (
    select
        source_key,
        order_id,
        line_number,
        product_id,
        repaired_quantity as quantity,
        repaired_price as unit_price,
        discount_amount,
        line_at,
        line_text,
        (round(repaired_quantity * repaired_price - coalesce(discount_amount, 0), 2) * exchange_rate)::decimal(18, 2) as net_amount,
        (coalesce(discount_amount, 0) * exchange_rate)::decimal(18, 2) as discount_net_amount,
        unreadable_values || {{ repairs([
            repair('quantity', number_text('quantity'), number_text('repaired_quantity'), "'negative_quantity_in_sale'"),
            repair('unit_price', number_text('unit_price'), number_text('repaired_price'), "'price_off_by_100'"),
        ]) }} as repairs
    from repaired
)

select * from cleaned
