{#- For who has bought nothing, and where a list is short: what is popular in the country, compared with what is popular anywhere. -#}
with products as (
    select * from {{ ref('dim_products') }}
),

segments as (
    select * from {{ ref('int_segment_trends') }}
    where n_back = 0
),

customers as (
    select * from {{ ref('dim_customers') }}
),

countries as (
    select distinct coalesce('country:' || country, 'all') as segment
    from customers
),

shares as (
    select
        countries.segment,
        products.product_id,
        coalesce(segments.share, 0.0) as country_share,
        coalesce(everybody.share, 0.0) as share
    from countries
    cross join products
    left join segments on countries.segment = segments.segment and products.product_id = segments.product_id
    left join segments as everybody on products.product_id = everybody.product_id and everybody.segment = 'all'
    where products.is_available or {{ var('offer_unavailable_products') }}
),

ranked as (
    select
        segment,
        product_id,
        greatest(country_share, least(share, 0.001)) as score,
        row_number() over (partition by segment order by country_share desc, share desc, product_id asc) as segment_rank
    from shares
)

select * from ranked
where segment_rank <= 10 + {{ var('offer_candidates') }}
