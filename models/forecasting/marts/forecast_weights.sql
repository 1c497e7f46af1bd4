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
    where weight is not null
),

candidates as (
    select * from {{ ref('int_forecast_candidates') }}
    where step = 1
),

tested as (
    select
        series_id,
        method,
        count(distinct cutoff_date) as n_cutoffs,
        round(avg(abs(actual - forecast) / scale), 9) as back_test_mase
    from forecasts
    where not is_final and actual is not null
    group by series_id, method
),

final as (
    select * from forecasts
    where is_final and step = 1
),

weighed as (
    select
        series.*,
        final.method,
        final.weight,
        final.cutoff_date,
        candidates.form,
        coalesce(tested.n_cutoffs, 0) as n_cutoffs,
        tested.back_test_mase
    from final
    inner join series on final.series_id = series.series_id
    left join candidates
        on final.series_id = candidates.series_id and final.cutoff_date = candidates.cutoff_date and final.method = candidates.method
    left join tested on final.series_id = tested.series_id and final.method = tested.method
)

select * from weighed
