with customers as (
    select * from {{ ref('dim_customers') }}
),

products as (
    select * from {{ ref('dim_products') }}
),

scores as (
    select * from {{ ref('int_offer_scores') }}
    where n_back = 0
),

features as (
    select * from {{ ref('int_offer_features') }}
    where n_back = 0
),

history as (
    select * from {{ ref('int_offer_history') }}
    where n_back = 0
),

segment_offers as (
    select * from {{ ref('int_segment_offers') }}
),

-- The source is the ingredient that places the product highest in the customer's list.
scored as (
    select
        scores.customer_id,
        scores.product_id,
        scores.score,
        case
            when features.is_owned then 'own_purchases'
            when
                features.basket_confidence > 0.05
                and features.basket_rank <= least(features.path_rank, features.similar_rank, features.segment_rank)
                then 'basket_rule'
            when
                features.path_confidence > 0.05
                and features.path_rank <= least(features.similar_rank, features.segment_rank)
                then 'path_rule'
            when features.similarity > 0 and features.similar_rank <= features.segment_rank then 'similar_customers'
            else 'segment_popularity'
        end as source
    from scores
    inner join features on scores.customer_id = features.customer_id and scores.product_id = features.product_id
    inner join products on scores.product_id = products.product_id
    where products.is_available or {{ var('offer_unavailable_products') }}
),

learned as (
    select * from scored
    qualify row_number() over (partition by customer_id order by score desc, product_id asc) <= 10
),

short_lists as (
    select
        customers.customer_id,
        coalesce('country:' || customers.country, 'all') as segment,
        count(learned.product_id) as n_learned
    from customers
    left join learned on customers.customer_id = learned.customer_id
    group by customers.customer_id, customers.country
    having count(learned.product_id) < 10
),

fillers as (
    select
        short_lists.customer_id,
        segment_offers.product_id,
        segment_offers.score,
        'country_popularity' as source
    from short_lists
    inner join segment_offers on short_lists.segment = segment_offers.segment
    anti join learned
        on short_lists.customer_id = learned.customer_id and segment_offers.product_id = learned.product_id
    anti join history
        on short_lists.customer_id = history.customer_id
        and segment_offers.product_id = history.product_id
        and not {{ var('offer_owned_products') }}
),

offers as (
    select * from learned
    union all
    select * from fillers
),

ranked as (
    select
        *,
        row_number() over (partition by customer_id order by source = 'country_popularity', score desc, product_id asc) as recommendation_rank
    from offers
)

select * from ranked
where recommendation_rank <= 10
