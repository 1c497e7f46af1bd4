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

-- How strong each product bought is as evidence for an offer, by what the offer comes from.
weighed as (
    select
        lists.customer_id,
        lists.product_id,
        links.product_id as evidence_product_id,
        case lists.source
            when 'basket_rule' then history.weight_30d * links.basket_confidence
            when 'path_rule' then history.weight_90d * links.path_confidence
            else history.weight_90d * links.similarity
        end as strength,
        case lists.source
            when 'basket_rule' then links.basket_lift
            when 'path_rule' then links.path_lift
        end as lift
    from lists
    inner join history on lists.customer_id = history.customer_id
    inner join links on history.product_id = links.product_id and lists.product_id = links.other_product_id
    where lists.source in ('basket_rule', 'path_rule', 'similar_customers')
)

select * from weighed
where strength > 0
qualify row_number() over (partition by customer_id, product_id order by strength desc, evidence_product_id asc) = 1
