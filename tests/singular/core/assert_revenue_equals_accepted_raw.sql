-- Revenue in the marts is the revenue of the accepted raw lines with the repairs on record applied: nothing was lost on the way.
with repairs as (
    select
        source_table,
        source_key,
        max(new_value) filter (where column_name = 'quantity')::decimal(18, 4) as quantity,
        max(new_value) filter (where column_name = 'unit_price')::decimal(18, 4) as unit_price,
        max(new_value) filter (where column_name = 'currency') as currency
    from {{ ref('dq_repairs') }}
    where source_table in ('shop.orders', 'shop.order_lines')
    group by source_table, source_key
),

accepted_lines as (
    {{ accepted_rows('shop', 'order_lines') }}
),

accepted_orders as (
    {{ accepted_rows('shop', 'orders') }}
),

raw_revenue as (
    select sum((round(
        coalesce(line_repairs.quantity, accepted_lines.quantity) * coalesce(line_repairs.unit_price, accepted_lines.unit_price)
        - coalesce(accepted_lines.discount_amount, 0), 2
    ) * rates.rate)::decimal(18, 2)) as amount
    from accepted_lines
    inner join accepted_orders on accepted_lines.order_id = accepted_orders.order_id
    left join repairs as line_repairs
        on accepted_lines.source_key = line_repairs.source_key and line_repairs.source_table = 'shop.order_lines'
    left join repairs as order_repairs
        on accepted_orders.source_key = order_repairs.source_key and order_repairs.source_table = 'shop.orders'
    inner join {{ ref('int_exchange_rates') }} as rates
        on {{ rate_on('coalesce(order_repairs.currency, accepted_orders.currency)', 'accepted_orders.ordered_at') }}
),

mart_revenue as (
    select sum(net_amount) as amount
    from {{ ref('fct_orders') }}
)

select
    raw_revenue.amount as raw_amount,
    mart_revenue.amount as mart_amount
from raw_revenue
cross join mart_revenue
where raw_revenue.amount is distinct from mart_revenue.amount
  and not (raw_revenue.amount is null and mart_revenue.amount = 0)
