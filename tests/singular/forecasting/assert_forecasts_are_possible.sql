-- Every series has a whole forecast without gaps; values are finite and within their intervals, and the wider one holds the narrower.
with checked as (
    select
        series_id,
        period_start_date,
        coalesce(
            isfinite(forecast) and isfinite(low_95) and isfinite(high_95) and isfinite(naive_forecast)
            and low_95 <= low_80 and high_80 <= high_95 and low_80 <= forecast and forecast <= high_80,
            false
        ) as is_possible
    from {{ ref('sales_forecast') }}
    where is_forecast
)

select
    series_id,
    period_start_date
from checked
where not is_possible
union all
select
    series_id,
    null::date as period_start_date
from {{ ref('sales_forecast') }}
group by series_id
having count(*) filter (where is_forecast) = 0 or date_diff(any_value(frequency), min(period_start_date), max(period_start_date)) + 1 != count(*)
