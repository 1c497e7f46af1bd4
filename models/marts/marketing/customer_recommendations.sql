with lists as (
    select * from {{ ref('int_offer_lists') }}
),

history as (
    select * from {{ ref('int_offer_history') }}
    where n_back = 0
),

customers as (
    select * from {{ ref('dim_customers') }}
),

buyers as (
    select * from {{ ref('int_offer_customers') }}
    where n_back = 0
),

pairs as (
    select * from {{ ref('int_product_pairs') }}
    where n_back = 0
),

products as (
    select * from {{ ref('dim_products') }}
),

horizon as (
    select * from {{ ref('int_event_horizon') }}
),

-- Of what the customer has bought, the product that speaks loudest for the offer.
spoken_for as (
    select
        lists.customer_id,
        lists.product_id,
        pairs.product_id as speaking_product_id
    from lists
    inner join history on lists.customer_id = history.customer_id
    inner join pairs on history.product_id = pairs.product_id and lists.product_id = pairs.other_product_id
    qualify row_number() over (
        partition by lists.customer_id, lists.product_id
        order by
            case lists.source
                when 'basket_rule' then history.weight_30d * pairs.basket_confidence
                when 'path_rule' then history.weight_90d * pairs.path_confidence
                else history.weight_90d * pairs.similarity
            end desc,
            pairs.product_id asc
    ) = 1
),

worded as (
    select
        lists.customer_id,
        lists.recommendation_rank::integer as recommendation_rank,
        horizon.as_of_date,
        lists.product_id,
        products.product_name,
        lists.score,
        case lists.source
            when 'own_purchases' then 'bought ' || history.n_purchases || ' times, last ' || history.days_since_product || ' days ago'
            when 'basket_rule' then 'often bought together with ' || coalesce(speaking.product_name, 'what was bought')
            when 'path_rule' then 'often bought after ' || coalesce(speaking.product_name, 'what was bought')
            when 'similar_customers' then 'customers who bought ' || coalesce(speaking.product_name, 'the same') || ' bought this too'
            when 'segment_popularity' then 'popular with customers of ' || coalesce(buyers.main_category, 'the shop')
            else 'popular in ' || coalesce(customers.country, 'all countries')
        end as reason,
        lists.source,
        buyers.customer_id is null as is_cold_start
    from lists
    cross join horizon
    inner join products on lists.product_id = products.product_id
    inner join customers on lists.customer_id = customers.customer_id
    left join buyers on lists.customer_id = buyers.customer_id
    left join history on lists.customer_id = history.customer_id and lists.product_id = history.product_id
    left join spoken_for on lists.customer_id = spoken_for.customer_id and lists.product_id = spoken_for.product_id
    left join products as speaking on spoken_for.speaking_product_id = speaking.product_id
)

select * from worded
