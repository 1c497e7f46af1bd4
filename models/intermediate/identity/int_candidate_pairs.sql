with blocks as (
    select * from {{ ref('int_match_blocks') }}
    where skip_reason is null
),

keyed as (
    select
        keys.blocking_rule,
        keys.block_key,
        keys.record_id
    from {{ ref('int_match_keys') }} as keys
    inner join blocks using (blocking_rule, block_key)
),

found as (
    select
        first_keys.record_id as record_a,
        second_keys.record_id as record_b,
        first_keys.blocking_rule
    from keyed as first_keys
    inner join keyed as second_keys
        on
            second_keys.blocking_rule = first_keys.blocking_rule
            and second_keys.block_key = first_keys.block_key
            and second_keys.record_id > first_keys.record_id
),

-- People may have decided on a pair that no rule finds.
decided as (
    select
        least(record_a, record_b) as record_a,
        greatest(record_a, record_b) as record_b,
        'override' as blocking_rule
    from {{ ref('identity_overrides') }}
),

all_found as (
    select * from found
    union all
    select * from decided
),

paired as (
    select
        record_a,
        record_b,
        count(distinct blocking_rule) as n_rules,
        min(blocking_rule) as first_rule
    from all_found
    group by record_a, record_b
)

select * from paired
