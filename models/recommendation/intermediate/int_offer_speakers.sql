with lists as (
    select * from {{ ref('int_offer_lists') }}
),

history as (
    select * from {{ ref('int_offer_history') }}
    where n_back = 0
),

links as (
    select * from {{ ref('int_product_links') }}
    where n_back = 0
),

-- How loudly each of the products bought speaks for an offer, by what the offer comes from.
speaking as (
    select
        lists.customer_id,
        lists.product_id,
        links.product_id as speaking_product_id,
        case lists.source
            when 'basket_rule' then history.weight_30d * links.basket_confidence
            when 'path_rule' then history.weight_90d * links.path_confidence
            else history.weight_90d * links.similarity
        end as loudness,
        case lists.source
            when 'basket_rule' then links.basket_lift
            when 'path_rule' then links.path_lift
        end as lift
    from lists
    inner join history on lists.customer_id = history.customer_id
    inner join links on history.product_id = links.product_id and lists.product_id = links.other_product_id
    where lists.source in ('basket_rule', 'path_rule', 'similar_customers')
)

select * from speaking
where loudness > 0
qualify row_number() over (partition by customer_id, product_id order by loudness desc, speaking_product_id asc) = 1
