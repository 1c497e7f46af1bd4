with fitted as (
    select * from {{ ref('int_lifecycle_terms') }}
),

terms as (
    select
        as_of_date,
        term,
        subject,
        object,
        value,
        status
    from fitted
)

select * from terms
