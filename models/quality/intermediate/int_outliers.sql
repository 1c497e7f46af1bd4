with positive as (
    select * from {{ ref('int_judged_values') }}
),

-- The whole history, later events included: this is a search for errors, no feature. A median hardly depends on the value it judges.
histories as (
    select
        rule,
        history,
        count(*) as n_values,
        median(log_value) as usual,
        1.4826 * {{ median_deviation('log_value') }} as robust_deviation
    from positive
    where history is not null
    group by rule, history
),

everything as (
    select
        rule,
        median(log_value) as usual,
        1.4826 * {{ median_deviation('log_value') }} as robust_deviation
    from positive
    where rule = 'amount_outlier'
    group by rule
),

-- A short history can look narrower than it is, so its robust standard deviation is at least the median over all histories.
usual_deviations as (
    select
        rule,
        median(robust_deviation) as robust_deviation
    from histories
    where n_values >= {{ var('outlier_min_history') }}
    group by rule
),

judged as (
    select
        positive.*,
        coalesce(histories.usual, everything.usual) as usual,
        case when histories.rule is not null then 'own' else 'all' end as judged_by,
        (positive.log_value - coalesce(histories.usual, everything.usual)) / greatest(
            coalesce(histories.robust_deviation, everything.robust_deviation),
            case when histories.rule is not null then usual_deviations.robust_deviation else 0 end,
            positive.least_spread
        ) as deviations
    from positive
    left join histories
        on
            histories.rule = positive.rule and histories.history = positive.history
            and histories.n_values >= {{ var('outlier_min_history') }}
    left join everything on everything.rule = positive.rule
    left join usual_deviations on usual_deviations.rule = positive.rule
),

outliers as (
    select * exclude (log_value, least_spread)
    from judged
    where abs(deviations) >= {{ var('outlier_spreads') }}
)

select * from outliers
