with forecasts as (
    select * from {{ ref('int_forecasts') }}
    where not is_final and actual is not null
),

series as (
    select distinct
        series_id,
        measure,
        frequency
    from {{ ref('int_measure_series') }}
),

errors as (
    select
        series.measure || '_by_' || series.frequency as target,
        case forecasts.method
            when 'shipped' then 'sales_forecast'
            when 'seasonal_naive' then 'baseline_seasonal_naive'
            else 'forecast_' || forecasts.method
        end as model,
        abs(forecasts.forecast - forecasts.actual) / forecasts.scale as mase,
        200 * abs(forecasts.forecast - forecasts.actual) / nullif(abs(forecasts.forecast) + abs(forecasts.actual), 0) as smape,
        100 * abs(forecasts.forecast - forecasts.actual) / nullif(abs(forecasts.actual), 0) as mape,
        (forecasts.forecast - forecasts.actual) / forecasts.scale as bias,
        case when forecasts.low_80 is not null then (forecasts.actual between forecasts.low_80 and forecasts.high_80)::integer end as coverage_80,
        case when forecasts.low_95 is not null then (forecasts.actual between forecasts.low_95 and forecasts.high_95)::integer end as coverage_95
    from forecasts
    inner join series on forecasts.series_id = series.series_id
),

metrics as (
    {% for metric in ['mase', 'smape', 'mape', 'bias', 'coverage_80', 'coverage_95'] %}
    select
        model,
        target,
        '{{ metric }}' as metric,
        round(avg({{ metric }}), 6) as value
    from errors
    group by model, target
    having avg({{ metric }}) is not null
    {% if not loop.last %}union all{% endif %}
    {% endfor %}
),

compared as (
    select
        metrics.model,
        metrics.target,
        'back_test' as split,
        0::bigint as fold,
        metrics.metric,
        metrics.value,
        null::double as interval_low,
        null::double as interval_high,
        naive.value as baseline
    from metrics
    left join metrics as naive
        on metrics.target = naive.target and metrics.metric = naive.metric and naive.model = 'baseline_seasonal_naive'
)

select * from compared
