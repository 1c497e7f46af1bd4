{%- set attributes = match_attributes() -%}
{#- Attributes whose frequent values count less, and the level from which two records share the value itself. -#}
{%- set top_levels = {'first_name': 4, 'last_name': 3, 'email': 3, 'phone': 2, 'street': 3, 'place': 2, 'company': 2} -%}
with pairs as (
    select * from {{ ref('int_pair_levels') }}
),

patterns as (
    select * from {{ ref('int_pattern_weights') }}
),

records as (
    select
        record_number,
        record_id
    from {{ ref('int_match_attributes') }}
),

priors as (
    select * from {{ ref('int_match_weights') }}
    where attribute = 'prior'
),

-- Agreement on a rare value says more than on a frequent one: chance would bring it about as often as the value is frequent.
adjusted as (
    select
        pairs.number_a,
        pairs.number_b,
        pairs.n_rules,
        pairs.first_rule,
        pairs.is_decided,
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

-- A match has three rival explanations: unrelated people, two people of one household, two people of one name.
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
),

-- Nearly all candidates are far from a match and are dropped. Pairs that people decided on are kept however unlikely they are.
kept as (
    select
        records_a.record_id as record_a,
        records_b.record_id as record_b,
        scored.* exclude (number_a, number_b)
    from scored
    inner join records as records_a on records_a.record_number = scored.number_a
    inner join records as records_b on records_b.record_number = scored.number_b
    where scored.match_probability >= {{ var('min_kept_probability') }} or scored.is_decided
)

select * from kept
