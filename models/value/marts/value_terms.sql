with fitted as (
    select * from {{ ref('int_value_terms') }}
),

terms as (
    select
        as_of_date,
        model,
        term,
        value,
        interval_low,
        interval_high,
        method,
        status
    from fitted
)

select * from terms
