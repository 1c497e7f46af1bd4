with own_values as (
    select * from {{ ref('int_customer_values') }}
    where fallback_level = 0
),

-- Records of one source may have copied a value from one another, so only other sources can confirm it.
compared as (
    select
        source,
        attribute,
        count(*) over (partition by customer_id, attribute) - count(*) over (partition by customer_id, attribute, source) as n_others,
        count(*) over (partition by customer_id, attribute, compared_value)
        - count(*) over (partition by customer_id, attribute, compared_value, source) as n_others_agreeing
    from own_values
),

counted as (
    select
        source,
        attribute,
        count(*) filter (where n_others > 0) as n_compared,
        count(*) filter (where n_others > 0 and 2 * n_others_agreeing >= n_others) as n_agreeing
    from compared
    group by source, attribute
)

select * from counted
