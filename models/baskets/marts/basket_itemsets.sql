with itemsets as (
    select * from {{ ref('int_frequent_itemsets') }}
    where n_items > 0
),

rule_sets as (
    select * from {{ ref('int_rule_sets') }}
),

products as (
    select * from {{ ref('dim_products') }}
),

keyed as (
    select
        *,
        array_to_string(item_ids, ' + ') as itemset_id
    from itemsets
),

items as (
    select
        rule_set,
        itemset_id,
        unnest(item_ids) as item_id
    from keyed
),

named as (
    select
        items.rule_set,
        items.itemset_id,
        string_agg(coalesce(products.product_name, items.item_id), ' + ' order by items.item_id) as itemset
    from items
    inner join rule_sets on items.rule_set = rule_sets.rule_set
    left join products on items.item_id = products.product_id and rule_sets.level = 'product'
    group by items.rule_set, items.itemset_id
),

described as (
    select
        keyed.rule_set,
        keyed.itemset_id,
        named.itemset,
        keyed.n_items,
        keyed.n_baskets,
        keyed.n_baskets / keyed.n_all_baskets as support,
        rule_sets.as_of_date,
        rule_sets.trained_until
    from keyed
    inner join named on keyed.rule_set = named.rule_set and keyed.itemset_id = named.itemset_id
    inner join rule_sets on keyed.rule_set = rule_sets.rule_set
)

select * from described
