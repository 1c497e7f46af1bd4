with rule_sets as (
    select * from {{ ref('int_rule_sets') }}
),

itemsets as (
    select * from {{ ref('int_frequent_itemsets') }}
),

rules as (
    select * from {{ ref('basket_rules') }}
),

path_sets as (
    select * from {{ ref('int_path_sets') }}
),

paths as (
    select * from {{ ref('path_rules') }}
),

mined as (
    select
        rule_set,
        max(status) as status,
        max(status_detail) as status_detail,
        max(n_all_baskets) as n_cases,
        count(*) filter (where n_items > 0) as n_itemsets
    from itemsets
    group by rule_set
),

sets as (
    select
        rule_sets.rule_set,
        'basket' as kind,
        mined.status,
        mined.status_detail,
        mined.n_cases,
        mined.n_itemsets,
        rule_sets.as_of_date,
        rule_sets.trained_until
    from rule_sets
    inner join mined on rule_sets.rule_set = mined.rule_set
    union all
    select
        path_sets.path_set as rule_set,
        'path' as kind,
        case when max(paths.n_steps) is null then 'no_rules' else 'mined' end as status,
        '' as status_detail,
        max(paths.n_base_occasions) as n_cases,
        null as n_itemsets,
        path_sets.as_of_date,
        path_sets.trained_until
    from path_sets
    left join paths on path_sets.path_set = paths.path_set
    group by path_sets.path_set, path_sets.as_of_date, path_sets.trained_until
),

all_rules as (
    select rule_set, 'basket' as kind, support, confidence, lift, q_value, is_redundant, is_confirmed
    from rules
    union all
    select path_set as rule_set, 'path' as kind, support, confidence, lift, q_value, is_redundant, is_confirmed
    from paths
),

-- Of a decimal each sum is the same whatever the order of its parts.
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
