with parts as (
    select * from {{ ref('int_person_name_parts') }}
),

names as (
    select
        first_name as name,
        'first' as role
    from parts
    where first_name is not null
    union all
    select
        last_name as name,
        'last' as role
    from parts
    where last_name is not null
),

-- How often each name stands in each role, and how people who use both cases spell it.
counted as (
    select
        lower(name) as name_key,
        count(*) filter (where role = 'first') as n_first,
        count(*) filter (where role = 'last') as n_last,
        mode(name order by name) filter (where not {{ has_one_case('name') }}) as usual_spelling
    from names
    group by lower(name)
),

-- Rare names are judged by how names with their ending are used: -ski and -son end last names.
with_endings as (
    select
        *,
        sum(n_first) over (partition by right(name_key, 3)) as n_first_of_ending,
        sum(n_last) over (partition by right(name_key, 3)) as n_last_of_ending
    from counted
)

select * from with_endings
