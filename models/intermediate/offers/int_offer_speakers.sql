with lists as (
    select * from {{ ref('int_offer_lists') }}
),

history as (
    select * from {{ ref('int_offer_history') }}
    where n_back = 0
),

similar_products as (
    select * from {{ ref('int_product_pairs') }}
    where n_back = 0
),

rules as (
    select * from {{ ref('int_offer_rules') }}
    where n_back = 0
),

pairs as (
    select
        product_id,
        other_product_id,
        similar_products.similarity,
        rules.basket_confidence,
        rules.basket_lift,
        rules.path_confidence,
        rules.path_lift
    from similar_products
    full outer join rules using (product_id, other_product_id)
),

-- How loudly each of the products bought speaks for an offer, by what the offer comes from.
speaking as (
    select
        lists.customer_id,
        lists.product_id,
        pairs.product_id as speaking_product_id,
        case lists.source
            when 'basket_rule' then history.weight_30d * pairs.basket_confidence
            when 'path_rule' then history.weight_90d * pairs.path_confidence
            else history.weight_90d * pairs.similarity
        end as loudness,
        case lists.source
            when 'basket_rule' then pairs.basket_lift
            when 'path_rule' then pairs.path_lift
        end as lift
    from lists
    inner join history on lists.customer_id = history.customer_id
    inner join pairs on history.product_id = pairs.product_id and lists.product_id = pairs.other_product_id
    where lists.source in ('basket_rule', 'path_rule', 'similar_customers')
)

select * from speaking
where loudness > 0
qualify row_number() over (partition by customer_id, product_id order by loudness desc, speaking_product_id asc) = 1
