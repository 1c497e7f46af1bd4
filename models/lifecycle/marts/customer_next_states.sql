with states as (
    select * from {{ ref('int_lifecycle_states') }}
    where p_1 is not null
),

terms as (
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
        as_of_date,
        subject as from_state,
        object as to_state,
        value as probability
    from terms
    where term = 'transition'
),

ahead as (
    select
        states.customer_id,
        (states.month + interval 1 month)::date as month,
        transitions.to_state as state,
        round(sum(transitions.probability * case numbers.state_number
            {% for number in range(1, 9) %}
            when {{ number }} then states.p_{{ number }}
            {% endfor %}
        end), 6) as probability
    from states
    inner join numbers on states.fitted_as_of_date = numbers.as_of_date
    inner join transitions on numbers.as_of_date = transitions.as_of_date and numbers.state = transitions.from_state
    where transitions.to_state != 'new'
    group by states.customer_id, states.month, transitions.to_state
)

select * from ahead
