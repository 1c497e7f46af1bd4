with fitted as (
    select * from {{ ref('int_match_weights') }}
),

weights as (
    select
        attribute,
        level,
        m,
        h,
        n,
        u,
        is_fixed,
        bits,
        household_bits,
        namesake_bits
    from fitted
)

select * from weights
