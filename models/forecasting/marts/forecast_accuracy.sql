with series as (
    select distinct
        series_id,
        measure,
        frequency,
        dimension,
        member
    from {{ ref('int_measure_series') }}
),

forecasts as (
    select * from {{ ref('int_forecasts') }}
    where not is_final and actual is not null and method in ('shipped', 'arima', 'log_arima', 'seasonal_naive')
),

measured as (
    select
        series.*,
        forecasts.cutoff_date,
        forecasts.step as horizon,
        forecasts.method,
        forecasts.actual,
        forecasts.forecast,
        forecasts.forecast - forecasts.actual as bias,
        abs(forecasts.forecast - forecasts.actual) as rmse,
        abs(forecasts.forecast - forecasts.actual) / forecasts.scale as mase,
        coalesce(200 * abs(forecasts.forecast - forecasts.actual) / nullif(abs(forecasts.forecast) + abs(forecasts.actual), 0), 0) as smape,
        100 * abs(forecasts.forecast - forecasts.actual) / nullif(abs(forecasts.actual), 0) as mape,
        forecasts.actual between forecasts.low_80 and forecasts.high_80 as is_in_80,
        forecasts.actual between forecasts.low_95 and forecasts.high_95 as is_in_95
    from forecasts
    inner join series on forecasts.series_id = series.series_id
)

select * from measured
