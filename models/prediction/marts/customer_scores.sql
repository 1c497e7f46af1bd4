with scores as (
    select * from {{ ref('int_prediction_scores') }}
),

ranked as (
    select
        customer_id,
        target,
        as_of_date,
        case when kind = 'classification' then prediction end as probability,
        case when kind = 'regression' then prediction end as expected_amount,
        points,
        ntile(10) over (partition by target, as_of_date order by prediction desc, customer_id asc) as decile,
        reason_1,
        reason_2,
        reason_3,
        model,
        status = 'champion' as is_champion,
        status,
        fitted_as_of_date
    from scores
)

select * from ranked
