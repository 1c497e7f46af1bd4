with rules as (
    select
        *,
        {{ rule_id() }} as rule_id
    from {{ ref('int_basket_rules') }}
),

rule_sets as (
    select * from {{ ref('int_rule_sets') }}
),

products as (
    select * from {{ ref('dim_products') }}
),

items as (
    select
        rule_set,
        rule_id,
        'antecedent' as side,
        unnest(antecedent_ids) as item_id
    from rules
    union all
    select
        rule_set,
        rule_id,
        'consequent' as side,
        unnest(consequent_ids) as item_id
    from rules
),

named as (
    select
        items.rule_set,
        items.rule_id,
        items.side,
        items.item_id,
        coalesce(products.product_name, items.item_id) as item,
        rule_sets.level
    from items
    inner join rule_sets on items.rule_set = rule_sets.rule_set
    left join products on items.item_id = products.product_id and rule_sets.level = 'product'
)

select * from named
