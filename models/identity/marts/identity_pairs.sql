{%- set attributes = match_attributes() -%}
with scores as (
    select * from {{ ref('int_pair_scores') }}
),

clusters as (
    select * from {{ ref('int_customer_clusters') }}
),

-- The waterfall: prior, what each attribute adds or takes away, what the rival explanations take away; the sum is the weight.
explained as (
    select
        scores.record_a,
        scores.record_b,
        scores.first_rule as blocking_rule,
        scores.n_rules,
        scores.prior_bits,
        {% for attribute in attributes %}
        scores.{{ attribute }}_level,
        scores.{{ attribute }}_bits,
        {% endfor %}
        scores.rival_bits,
        scores.match_weight,
        scores.match_probability,
        clusters_a.customer_id as customer_id_a,
        clusters_b.customer_id as customer_id_b,
        clusters_a.customer_id = clusters_b.customer_id as is_same_customer
    from scores
    inner join clusters as clusters_a on clusters_a.record_id = scores.record_a
    inner join clusters as clusters_b on clusters_b.record_id = scores.record_b
)

select * from explained
