with candidates as (
    select * from {{ ref('int_offer_candidates') }}
),

customers as (
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

segments as (
    select * from {{ ref('int_segment_trends') }}
),

purchases as (
    select * from {{ ref('int_product_purchases') }}
),

dates as (
    select * from {{ ref('int_offer_dates') }}
),

bought as (
    select distinct
        dates.n_back,
        purchases.customer_id,
        purchases.product_id
    from dates
    inner join purchases on dates.offer_date < purchases.purchase_date and dates.window_end_date >= purchases.purchase_date
),

compared as (
    select
        candidates.*,
        history.n_purchases is not null as is_owned,
        trends.n_buyers_14d,
        coalesce(history.weight_90d, 0) * (1 + trends.n_buyers_14d) as own_popularity,
        coalesce(offer_pairs.similarity, 0) * (1 + trends.n_buyers_14d) as similar_popularity
    from candidates
    inner join trends using (n_back, product_id)
    left join history using (n_back, customer_id, product_id)
    left join offer_pairs using (n_back, customer_id, product_id)
),

-- Each product is compared with the others of the same customer; new products with new ones only.
ranked as (
    select
        * exclude (n_buyers_14d),
        own_popularity / nullif(max(own_popularity) over (partition by n_back, customer_id), 0) as own_popularity_of_best,
        rank() over (partition by n_back, customer_id order by own_popularity desc) as own_rank,
        similar_popularity
        / nullif(max(similar_popularity) over (partition by n_back, customer_id, is_owned), 0) as similar_popularity_of_best,
        rank() over (partition by n_back, customer_id, is_owned order by similar_popularity desc) as similar_rank,
        rank() over (partition by n_back, customer_id, is_owned order by n_buyers_14d desc) as popular_rank
    from compared
),

described as (
    select
        ranked.*,
        bought.product_id is not null as is_bought,
        customers.* exclude (n_back, customer_id, offer_date, n_bought, main_category),
        trends.* exclude (n_back, product_id, rank_7d, rank_14d, rank_ever),
        history.* exclude (n_back, customer_id, product_id),
        offer_pairs.* exclude (n_back, customer_id, product_id),
        coalesce(segments.share, 0) as segment_share,
        history.days_since_product / history.mean_gap_days as gaps_since_product,
        (trends.n_buyers_7d + 1) / (trends.n_buyers_30d * 7 / 30 + 1) as trend_7d,
        (trends.n_buyers_30d + 1) / (trends.n_buyers_90d / 3 + 1) as trend_30d,
        (trends.n_buyers_next_last_year + 1) / (trends.n_buyers_last_year + 1) as season
    from ranked
    inner join customers using (n_back, customer_id)
    inner join trends using (n_back, product_id)
    left join history using (n_back, customer_id, product_id)
    left join offer_pairs using (n_back, customer_id, product_id)
    left join bought using (n_back, customer_id, product_id)
    left join segments
        on ranked.n_back = segments.n_back
        and ranked.product_id = segments.product_id
        and segments.segment = 'category:' || customers.main_category
)

select * from described
