with keyed as (
    select * from {{ ref('int_match_keys') }}
),

sized as (
    select
        blocking_rule,
        block_key,
        count(*) as n_records,
        count(*) * (count(*) - 1) // 2 as n_pairs
    from keyed
    group by blocking_rule, block_key
    having count(*) > 1
),

-- Small blocks first: a pair that shares something rare is likelier to be a match.
budgeted as (
    select
        *,
        sum(n_pairs) over (order by n_records, blocking_rule, block_key rows unbounded preceding) as n_pairs_so_far,
        (select count(*) from {{ ref('int_match_attributes') }}) as n_all_records
    from sized
),

judged as (
    select
        blocking_rule,
        block_key,
        n_records,
        n_pairs,
        case
            when n_records > {{ var('max_block_size') }} then 'block_too_large'
            when n_pairs_so_far > greatest({{ var('min_pair_budget') }}, {{ var('pair_budget_per_record') }} * n_all_records) then 'pair_budget_spent'
        end as skip_reason
    from budgeted
)

select * from judged
