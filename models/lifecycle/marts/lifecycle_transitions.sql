with terms as (
    select * from {{ ref('lifecycle_terms') }}
),

numbers as (
    select
        as_of_date,
        subject as state,
        value::integer as state_number
    from terms
    where term = 'state_number'
),

transitions as (
    select
        terms.as_of_date,
        terms.subject as from_state,
        terms.object as to_state,
        from_numbers.state_number as from_number,
        to_numbers.state_number as to_number,
        max(terms.value) filter (where terms.term = 'transition') as probability,
        max(terms.value) filter (where terms.term = 'n_transitions') as n_transitions,
        max(terms.status) as status
    from terms
    inner join numbers as from_numbers on terms.as_of_date = from_numbers.as_of_date and terms.subject = from_numbers.state
    inner join numbers as to_numbers on terms.as_of_date = to_numbers.as_of_date and terms.object = to_numbers.state
    where terms.term in ('transition', 'n_transitions')
    group by all
)

select * from transitions
