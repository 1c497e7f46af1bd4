{%- set attributes = match_attributes() -%}
{#- Attributes whose frequent values count less, and the level from which two records share the value itself. -#}
{%- set top_levels = {'first_name': 4, 'last_name': 3, 'email': 3, 'phone': 2, 'street': 3, 'place': 2, 'company': 2} -%}
with pairs as (
    select * from {{ ref('int_pair_levels') }}
),

patterns as (
    select * from {{ ref('int_pattern_weights') }}
),

priors as (
    select * from {{ ref('match_weights') }}
    where attribute = 'prior'
),

-- Agreement on a rare value says more than on a frequent one: chance would bring it about as often as the value is frequent.
adjusted as (
    select
        pairs.record_a,
        pairs.record_b,
        pairs.n_rules,
        {% for attribute in attributes %}
        pairs.{{ attribute }} as {{ attribute }}_level,
        {% if attribute in top_levels %}
        case
            when pairs.{{ attribute }} >= {{ top_levels[attribute] }}
                then coalesce(least(patterns.{{ attribute }}_chance_bits - log2(pairs.{{ attribute }}_share), {{ var('max_rarity_bits') }}), 0)
            else 0
        end as {{ attribute }}_rarity_bits,
        {% else %}
        0 as {{ attribute }}_rarity_bits,
        {% endif %}
        patterns.{{ attribute }}_bits + {{ attribute }}_rarity_bits as {{ attribute }}_bits,
        {{ rival_bits(attribute, 'household') }} as {{ attribute }}_household_bits,
        {{ rival_bits(attribute, 'namesake') }} as {{ attribute }}_namesake_bits{{ ',' if not loop.last }}
        {% endfor %}
    from pairs
    inner join patterns using ({{ attributes | join(', ') }})
),

summed as (
    select
        *,
        {{ sum_of_columns(attributes, '_bits') }} as evidence_bits,
        {{ sum_of_columns(attributes, '_household_bits') }} as household_evidence_bits,
        {{ sum_of_columns(attributes, '_namesake_bits') }} as namesake_evidence_bits
    from adjusted
),

-- Against a match stand three explanations: people who have nothing to do with one another, of one household, or of one name.
scored as (
    select
        summed.* exclude (household_evidence_bits, namesake_evidence_bits),
        log2(priors.m / priors.u) as prior_bits,
        -log2(
            1
            + priors.h / priors.u * pow(2, least(summed.household_evidence_bits, 500))
            + priors.n / priors.u * pow(2, least(summed.namesake_evidence_bits, 500))
        ) as rival_bits,
        prior_bits + summed.evidence_bits + rival_bits as match_weight,
        1 / (1 + pow(2, -greatest(least(match_weight, 500), -500))) as match_probability
    from summed
    cross join priors
)

select * from scored
