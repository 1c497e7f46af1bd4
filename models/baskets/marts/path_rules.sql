with rules as (
    select * from {{ ref('int_path_rules') }}
),

path_sets as (
    select * from {{ ref('int_path_sets') }}
),

products as (
    select * from {{ ref('dim_products') }}
),

names as (
    select
        path_sets.path_set,
        products.product_id as item_id,
        coalesce(products.product_name, products.product_id) as item
    from path_sets
    inner join products on path_sets.events = 'purchased_products'
),

described as (
    select
        rules.path_set,
        concat_ws(' > ', rules.step_1, rules.step_2, rules.step_3) || ' => ' || rules.next_item as rule_id,
        concat_ws(
            ' > ', coalesce(name_1.item, rules.step_1), coalesce(name_2.item, rules.step_2), coalesce(name_3.item, rules.step_3)
        ) as path,
        coalesce(next_name.item, rules.next_item) as next_item,
        rules.next_item as next_item_id,
        rules.step_1 as step_1_id,
        rules.step_2 as step_2_id,
        rules.step_3 as step_3_id,
        path_sets.entity,
        path_sets.gap_unit,
        path_sets.max_gap,
        path_sets.max_span,
        rules.* exclude (path_set, next_item, step_1, step_2, step_3),
        path_sets.as_of_date,
        path_sets.trained_until
    from rules
    inner join path_sets on rules.path_set = path_sets.path_set
    left join names as name_1 on rules.path_set = name_1.path_set and rules.step_1 = name_1.item_id
    left join names as name_2 on rules.path_set = name_2.path_set and rules.step_2 = name_2.item_id
    left join names as name_3 on rules.path_set = name_3.path_set and rules.step_3 = name_3.item_id
    left join names as next_name on rules.path_set = next_name.path_set and rules.next_item = next_name.item_id
)

select * from described
