with similar_products as (
    select * from {{ ref('int_product_pairs') }}
),

rules as (
    select * from {{ ref('int_offer_rules') }}
),

links as (
    select
        n_back,
        product_id,
        other_product_id,
        similar_products.similarity,
        rules.basket_confidence,
        rules.basket_lift,
        rules.path_confidence,
        rules.path_lift
    from similar_products
    full outer join rules using (n_back, product_id, other_product_id)
)

select * from links
