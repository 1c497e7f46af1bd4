with history as (
    select * from {{ ref('int_offer_history') }}
),

links as (
    select * from {{ ref('int_product_links') }}
),

latest as (
    select * from history
    qualify row_number() over (
        partition by n_back, customer_id order by weight_90d desc, product_id asc
    ) <= {{ var('offer_neighbours') }}
),

-- What a customer has bought lately is evidence for what was bought with it, after it, or by the same customers.
supported as (
    select
        latest.n_back,
        latest.customer_id,
        links.other_product_id as product_id,
        sum((latest.weight_90d * links.similarity)::decimal(18, 9))::double as similarity,
        max(links.similarity) as best_similarity,
        max(latest.weight_90d * links.path_confidence) as path_confidence,
        max(latest.weight_30d * links.basket_confidence) as basket_confidence
    from latest
    inner join links on latest.n_back = links.n_back and latest.product_id = links.product_id
    group by latest.n_back, latest.customer_id, links.other_product_id
)

select * from supported
