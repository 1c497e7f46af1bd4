with history as (
    select * from {{ ref('int_offer_history') }}
),

similar_products as (
    select * from {{ ref('int_product_pairs') }}
),

rules as (
    select * from {{ ref('int_offer_rules') }}
),

pairs as (
    select
        n_back,
        product_id,
        other_product_id,
        similar_products.similarity,
        rules.basket_confidence,
        rules.path_confidence
    from similar_products
    full outer join rules using (n_back, product_id, other_product_id)
),

latest as (
    select * from history
    qualify row_number() over (
        partition by n_back, customer_id order by weight_90d desc, product_id asc
    ) <= {{ var('offer_neighbours') }}
),

-- What a customer has bought lately speaks for what was bought with it, after it, or by the same customers.
spoken_for as (
    select
        latest.n_back,
        latest.customer_id,
        pairs.other_product_id as product_id,
        sum((latest.weight_90d * pairs.similarity)::decimal(18, 9))::double as similarity,
        max(pairs.similarity) as best_similarity,
        max(latest.weight_90d * pairs.path_confidence) as path_confidence,
        max(latest.weight_30d * pairs.basket_confidence) as basket_confidence
    from latest
    inner join pairs on latest.n_back = pairs.n_back and latest.product_id = pairs.product_id
    group by latest.n_back, latest.customer_id, pairs.other_product_id
)

select * from spoken_for
