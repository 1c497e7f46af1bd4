with rule_sets as (
    select * from {{ ref('int_rule_sets') }}
),

basket_lines as (
    select * from {{ ref('int_basket_lines') }}
),

products as (
    select * from {{ ref('dim_products') }}
),

-- A customer's purchases of the held-out days are another basket than those of the days before.
items as (
    select distinct
        rule_sets.rule_set,
        basket_lines.basket_id,
        case rule_sets.level when 'product' then basket_lines.product_id else products.category end as item_id,
        rule_sets.trained_until < basket_lines.basket_date as is_holdout
    from rule_sets
    inner join basket_lines on
        rule_sets.unit = basket_lines.unit
        and rule_sets.trained_after < basket_lines.basket_date
        and rule_sets.as_of_date >= basket_lines.basket_date
    left join products on basket_lines.product_id = products.product_id
)

select * from items
where item_id is not null
