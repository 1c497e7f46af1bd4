-- An order's amount is the sum of its lines, to the cent.
with line_totals as (
    select
        order_id,
        count(*) as n_lines,
        sum(net_amount) as net_amount
    from {{ ref('fct_order_lines') }}
    group by order_id
)

select
    fct_orders.order_id,
    fct_orders.net_amount,
    line_totals.net_amount as line_amount
from {{ ref('fct_orders') }} as fct_orders
full outer join line_totals on fct_orders.order_id = line_totals.order_id
where
    fct_orders.order_id is null
    or fct_orders.net_amount != coalesce(line_totals.net_amount, 0)
    or fct_orders.n_lines != coalesce(line_totals.n_lines, 0)
