with series as (
    select * from {{ ref('int_measure_series') }}
),

forecasts as (
    select * from {{ ref('int_forecasts') }}
    where is_final
),

facts as (
    select distinct
        series_id,
        measure,
        frequency,
        dimension,
        member
    from series
),

made_of as (
    select
        series_id,
        coalesce(max(method) filter (where weight = 1), 'blend') as method
    from forecasts
    group by series_id
),

ahead as (
    select
        series_id,
        cutoff_date,
        step,
        max(forecast) filter (where method = 'shipped') as forecast,
        {% for end in ['low_80', 'high_80', 'low_95', 'high_95'] %}
        max({{ end }}) filter (where method = 'shipped') as {{ end }},
        {% endfor %}
        max(forecast) filter (where method = 'seasonal_naive') as naive_forecast,
        max(forecast) filter (where method = 'arima') as arima_forecast,
        any_value(is_fallback) as is_fallback,
        any_value(reconciliation) as reconciliation,
        any_value(status) as status
    from forecasts
    group by series_id, cutoff_date, step
),

dated as (
    select
        facts.*,
        case frequency
            when 'week' then (cutoff_date + to_days((7 * step - 6)::integer))::date
            else (cutoff_date + 1 + to_months((step - 1)::integer))::date
        end as period_start_date,
        case frequency
            when 'week' then (cutoff_date + to_days((7 * step)::integer))::date
            else (cutoff_date + 1 + to_months(step::integer) - interval 1 day)::date
        end as period_end_date,
        ahead.* exclude (series_id),
        made_of.method
    from ahead
    inner join facts on ahead.series_id = facts.series_id
    inner join made_of on ahead.series_id = made_of.series_id
),

together as (
    select
        *,
        true as is_forecast,
        null::double as actual
    from dated
    union all by name
    select
        series_id,
        measure,
        frequency,
        dimension,
        member,
        period_start_date,
        period_end_date,
        false as is_forecast,
        value as actual
    from series
)

select * from together
