{#- The weight of each pattern of levels, by attribute; there are far fewer patterns than pairs. -#}
{%- set attributes = match_attributes() -%}
with patterns as (
    select distinct {{ attributes | join(', ') }}
    from {{ ref('int_pair_patterns') }}
    where pair_kind != 'random'
),

weights as (
    select * from {{ ref('int_match_weights') }}
),

weighed as (
    select
        patterns.*,
        {% for attribute in attributes %}
        coalesce({{ attribute }}_weights.bits, 0) as {{ attribute }}_bits,
        coalesce({{ attribute }}_weights.household_bits, 0) as {{ attribute }}_household_bits,
        coalesce({{ attribute }}_weights.namesake_bits, 0) as {{ attribute }}_namesake_bits,
        log2({{ attribute }}_weights.u) as {{ attribute }}_chance_bits{{ ',' if not loop.last }}
        {% endfor %}
    from patterns
    {% for attribute in attributes %}
    left join weights as {{ attribute }}_weights
        on {{ attribute }}_weights.attribute = '{{ attribute }}' and {{ attribute }}_weights.level = patterns.{{ attribute }}
    {% endfor %}
)

select * from weighed
