with rules as (
    select
        *,
        {{ rule_id() }} as rule_id
    from {{ ref('int_basket_rules') }}
),

rule_sets as (
    select * from {{ ref('int_rule_sets') }}
),

rule_items as (
    select * from {{ ref('basket_rule_items') }}
),

sides as (
    select
        rule_set,
        rule_id,
        string_agg(item, ' + ' order by item_id) filter (where side = 'antecedent') as antecedent,
        string_agg(item, ' + ' order by item_id) filter (where side = 'consequent') as consequent,
        count(*) filter (where side = 'antecedent') as n_antecedent_items,
        count(*) filter (where side = 'consequent') as n_consequent_items
    from rule_items
    group by rule_set, rule_id
),

described as (
    select
        rules.rule_set,
        rules.rule_id,
        sides.antecedent,
        sides.consequent,
        sides.n_antecedent_items,
        sides.n_consequent_items,
        rules.* exclude (rule_set, rule_id, antecedent_ids, consequent_ids),
        rule_sets.as_of_date,
        rule_sets.trained_until
    from rules
    inner join sides on rules.rule_set = sides.rule_set and rules.rule_id = sides.rule_id
    inner join rule_sets on rules.rule_set = rule_sets.rule_set
)

select * from described
