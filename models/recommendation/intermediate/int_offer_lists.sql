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

sources as (
    select * from {{ ref('int_offer_sources') }}
),

history as (
    select * from {{ ref('int_offer_history') }}
    where n_back = 0
),

segment_offers as (
    select * from {{ ref('int_segment_offers') }}
),

scored as (
    select
        scores.customer_id,
        scores.product_id,
        scores.score,
        sources.source,
        false as is_filler
    from scores
    inner join sources on scores.customer_id = sources.customer_id and scores.product_id = sources.product_id
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
        'popular_in_segment' as source,
        true as is_filler
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
        row_number() over (partition by customer_id order by is_filler asc, score desc, product_id asc) as recommendation_rank
    from offers
)

select * from ranked
where recommendation_rank <= 10
