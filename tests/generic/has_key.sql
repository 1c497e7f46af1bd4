{#- One row per key: no two rows of the table have the same values in `columns`, and none of these is null but where `nullable` says
    so. `not_null` are other columns that every row must have; a mart says that in its contract. -#}
{% test has_key(model, columns, nullable=[], not_null=[]) %}
{%- set needed = columns | reject('in', nullable) | list + not_null %}
with repeated as (
    select
        {{ columns | join(', ') }},
        count(*) as n_rows
    from {{ model }}
    group by all
    having count(*) > 1
),

incomplete as (
    select *
    from {{ model }}
    where {{ needed | join(' is null or ') }} is null
)

select
    'key repeated' as problem,
    *
from repeated
union all by name
select
    'value missing' as problem,
    *
from incomplete
{% endtest %}
