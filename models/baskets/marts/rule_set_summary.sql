with sets as (
    select * from {{ ref('int_mined_sets') }}
),

rules as (
    select * from {{ ref('basket_rules') }}
),

paths as (
    select * from {{ ref('path_rules') }}
),

all_rules as (
    {% for name, kind, table in [('rule_set', 'basket', 'rules'), ('path_set', 'path', 'paths')] %}
    select
        {{ name }} as rule_set,
        '{{ kind }}' as kind,
        support,
        confidence,
        lift,
        q_value,
        is_redundant,
        is_confirmed
    from {{ table }}
    {% if not loop.last %}union all{% endif %}
    {% endfor %}
),

-- Decimals, so that sums don't depend on the order of their terms.
summed as (
    select
        rule_set,
        kind,
        count(*) as n_rules,
        sum(support::decimal(18, 9))::double as support_sum,
        sum(confidence::decimal(18, 9))::double as confidence_sum,
        (sum(lift::decimal(24, 9)) / count(*))::double as mean_lift,
        count(*) filter (where q_value < 0.05) as n_significant,
        count(*) filter (where is_redundant) as n_redundant,
        count(is_confirmed) as n_checked,
        count(*) filter (where is_confirmed) / nullif(count(is_confirmed), 0) as confirmed_share,
        count(*) filter (where is_confirmed and q_value < 0.05 and not is_redundant)
        / nullif(count(is_confirmed) filter (where q_value < 0.05 and not is_redundant), 0) as confirmed_share_of_useful
    from all_rules
    group by rule_set, kind
),

summary as (
    select
        sets.rule_set,
        sets.kind,
        sets.status,
        sets.status_detail,
        sets.n_cases,
        sets.n_itemsets,
        coalesce(summed.n_rules, 0) as n_rules,
        summed.* exclude (rule_set, kind, n_rules),
        sets.as_of_date,
        sets.trained_until
    from sets
    left join summed on sets.rule_set = summed.rule_set and sets.kind = summed.kind
)

select * from summary
