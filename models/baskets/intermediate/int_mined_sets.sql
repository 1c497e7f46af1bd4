with rule_sets as (
    select * from {{ ref('int_rule_sets') }}
),

itemsets as (
    select * from {{ ref('int_frequent_itemsets') }}
),

path_sets as (
    select * from {{ ref('int_path_sets') }}
),

paths as (
    select * from {{ ref('int_path_rules') }}
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
)

select * from sets
