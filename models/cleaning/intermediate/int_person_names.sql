with parts as (
    select * from {{ ref('int_person_name_parts') }}
),

name_statistics as (
    select * from {{ ref('int_name_statistics') }}
),

-- How much likelier the two names are when exchanged. The record itself is left out of the counts.
weighed as (
    select
        parts.*,
        coalesce(firsts.usual_spelling, {{ proper_case('parts.first_name') }}) as first_spelling,
        coalesce(lasts.usual_spelling, {{ proper_case('parts.last_name') }}) as last_spelling,
        ({{ role_odds('firsts', 'first') }}) * ({{ role_odds('lasts', 'last') }}) as swap_likelihood_ratio
    from parts
    left join name_statistics as firsts on firsts.name_key = lower(parts.first_name)
    left join name_statistics as lasts on lasts.name_key = lower(parts.last_name)
),

spelt as (
    select
        * replace (
            case when {{ has_one_case('first_name') }} then first_spelling else first_name end as first_name,
            case when {{ has_one_case('last_name') }} then last_spelling else last_name end as last_name,
            {{ proper_case('middle_name') }} as middle_name
        ),
        coalesce(swap_likelihood_ratio > {{ var('name_swap_likelihood_ratio') }}, false) as is_swapped
    from weighed
),

named as (
    select
        record_id,
        title,
        case when is_swapped then last_name else first_name end as first_name,
        middle_name,
        case when is_swapped then first_name else last_name end as last_name,
        suffix,
        is_swapped
    from spelt
)

select * from named
