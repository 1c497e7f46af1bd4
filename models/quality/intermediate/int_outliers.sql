with positive as (
    select * from {{ ref('int_judged_values') }}
),

-- All of a history, later events too: this looks back for errors and is no feature. A median hardly moves by the value it judges.
histories as (
    select
        rule,
        history,
        count(*) as n_values,
        median(log_value) as usual,
        1.4826 * {{ median_deviation('log_value') }} as spread
    from positive
    where history is not null
    group by rule, history
),

everything as (
    select
        rule,
        median(log_value) as usual,
        1.4826 * {{ median_deviation('log_value') }} as spread
    from positive
    where rule = 'amount_outlier'
    group by rule
),

-- A history of few values can look narrower than any customer is, so its spread is at least the usual one of a history.
usual_spreads as (
    select
        rule,
        median(spread) as spread
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
            coalesce(histories.spread, everything.spread),
            case when histories.rule is not null then usual_spreads.spread else 0 end,
            positive.least_spread
        ) as deviations
    from positive
    left join histories
        on
            histories.rule = positive.rule and histories.history = positive.history
            and histories.n_values >= {{ var('outlier_min_history') }}
    left join everything on everything.rule = positive.rule
    left join usual_spreads on usual_spreads.rule = positive.rule
),

outliers as (
    select * exclude (log_value, least_spread)
    from judged
    where abs(deviations) >= {{ var('outlier_spreads') }}
)

select * from outliers
