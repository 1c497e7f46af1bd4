{%- set attributes = match_attributes() | list -%}
with records as (
    select * from {{ ref('int_match_attributes') }}
),

totals as (
    select count(*) as n_records from records
),

-- Random pairs, drawn by a fixed rule from the records in the order of their keys: the same records give the same pairs.
drawn as (
    select
        hash(draws.draw, 1) % totals.n_records + 1 as number_a,
        hash(draws.draw, 2) % totals.n_records + 1 as number_b
    from generate_series(1, {{ var('n_random_pairs') }}) as draws (draw)
    cross join totals
),

random_pairs as (
    select {{ pair_levels('a', 'b') }}
    from drawn
    inner join records as a on a.record_number = drawn.number_a
    inner join records as b on b.record_number = drawn.number_b
    where drawn.number_a != drawn.number_b
),

-- How one person's records differ can't be learned where dozens share a telephone or a house: a hundred pairs of namesakes there
-- would outnumber the true matches of the file.
counted as (
    select
        case when is_crowd then 'crowd' else 'candidate' end as pair_kind,
        {{ attributes | join(', ') }},
        count(*) as n_pairs
    from {{ ref('int_pair_levels') }}
    group by all
    union all
    select
        'random' as pair_kind,
        {{ attributes | join(', ') }},
        count(*) as n_pairs
    from random_pairs
    group by all
)

select * from counted
