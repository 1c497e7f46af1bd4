with customers as (
    select * from {{ ref('int_offer_customers') }}
),

history as (
    select * from {{ ref('int_offer_history') }}
),

offer_pairs as (
    select * from {{ ref('int_offer_pairs') }}
),

trends as (
    select * from {{ ref('int_product_trends') }}
),

bought_before as (
    select
        history.n_back,
        history.customer_id,
        history.product_id
    from history
    inner join trends on history.n_back = trends.n_back and history.product_id = trends.product_id
    qualify row_number() over (
        partition by history.n_back, history.customer_id
        order by history.weight_90d * (1 + trends.n_buyers_14d) desc, history.product_id asc
    ) <= {{ checked_number('offer_candidates', 10, 10000) }}
),

supported as (
    select
        offer_pairs.n_back,
        offer_pairs.customer_id,
        offer_pairs.product_id
    from offer_pairs
    inner join trends on offer_pairs.n_back = trends.n_back and offer_pairs.product_id = trends.product_id
    anti join history
        on offer_pairs.n_back = history.n_back
        and offer_pairs.customer_id = history.customer_id
        and offer_pairs.product_id = history.product_id
    qualify row_number() over (
        partition by offer_pairs.n_back, offer_pairs.customer_id
        order by offer_pairs.similarity * (1 + trends.n_buyers_14d) desc nulls last, offer_pairs.product_id asc
    ) <= {{ var('offer_candidates') }}
),

popular as (
    select
        customers.n_back,
        customers.customer_id,
        trends.product_id
    from customers
    inner join trends on customers.n_back = trends.n_back
    where least(trends.rank_7d, trends.rank_14d, trends.rank_ever) <= {{ var('offer_candidates') }} / 2
),

candidates as (
    select * from bought_before
    union
    select * from supported
    union
    select * from popular
)

select * from candidates
