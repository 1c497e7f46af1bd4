with blocks as (
    select * from {{ ref('int_match_blocks') }}
    where skip_reason is null
),

keyed as (
    select
        keys.blocking_rule,
        keys.block_key,
        keys.record_number
    from {{ ref('int_match_keys') }} as keys
    inner join blocks using (blocking_rule, block_key)
),

found as (
    select
        first_keys.record_number as number_a,
        second_keys.record_number as number_b,
        first_keys.blocking_rule
    from keyed as first_keys
    inner join keyed as second_keys
        on
            second_keys.blocking_rule = first_keys.blocking_rule
            and second_keys.block_key = first_keys.block_key
            and second_keys.record_number > first_keys.record_number
),

-- Pairs that people decided on are candidates even if no rule finds them.
decided as (
    select
        least(a.record_number, b.record_number) as number_a,
        greatest(a.record_number, b.record_number) as number_b,
        'override' as blocking_rule
    from {{ ref('identity_overrides') }} as overrides
    inner join {{ ref('int_match_attributes') }} as a on a.record_id = overrides.record_a
    inner join {{ ref('int_match_attributes') }} as b on b.record_id = overrides.record_b
    where a.record_number != b.record_number
),

all_found as (
    select * from found
    union all
    select * from decided
),

paired as (
    select
        number_a,
        number_b,
        count(distinct blocking_rule) as n_rules,
        min(blocking_rule) as first_rule,
        bool_or(blocking_rule = 'override') as is_decided
    from all_found
    group by number_a, number_b
)

select * from paired
