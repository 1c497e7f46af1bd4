-- Where a measure can be summed over a dimension, its members' forecasts are the total's. An order has products of several categories.
with ahead as (
    select * from {{ ref('sales_forecast') }}
    where is_forecast
),

totals as (
    select * from ahead
    where dimension = 'total'
),

sums as (
    select
        ahead.measure,
        ahead.frequency,
        ahead.dimension,
        ahead.period_start_date,
        sum(ahead.forecast) as forecast
    from ahead
    where ahead.dimension != 'total' and not (ahead.measure = 'orders' and ahead.dimension = 'category')
    group by all
)

select
    sums.*,
    totals.forecast as total
from sums
inner join totals using (measure, frequency, period_start_date)
where abs(sums.forecast - totals.forecast) > 1e-6 * (1 + abs(totals.forecast))
