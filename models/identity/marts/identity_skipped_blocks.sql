with blocks as (
    select * from {{ ref('int_match_blocks') }}
),

skipped as (
    select
        blocking_rule,
        block_key,
        n_records,
        n_pairs,
        skip_reason
    from blocks
    where skip_reason is not null
)

select * from skipped
