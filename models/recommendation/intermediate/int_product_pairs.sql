{#- Decimals, so that sums don't depend on the order of their terms. -#}
with dates as (
    select * from {{ ref('int_offer_dates') }}
),

purchases as (
    select * from {{ ref('int_product_purchases') }}
),

recent as (
    select
        dates.n_back,
        dates.offer_date,
        dates.similarity_days,
        purchases.customer_id,
        purchases.product_id,
        max(purchases.purchase_date) as last_date
    from dates
    inner join purchases
        on dates.offer_date >= purchases.purchase_date
        and dates.offer_date - dates.similarity_days < purchases.purchase_date
    group by dates.n_back, dates.offer_date, dates.similarity_days, purchases.customer_id, purchases.product_id
),

weighted as (
    select
        *,
        pow(0.5, date_diff('day', last_date, offer_date) * 2.0 / similarity_days)::decimal(9, 6) as weight
    from recent
),

lengths as (
    select
        n_back,
        product_id,
        sqrt(sum(weight * weight)::double) as length
    from weighted
    group by n_back, product_id
),

pairs as (
    select
        weighted.n_back,
        weighted.product_id,
        others.product_id as other_product_id,
        count(*) as n_customers,
        sum(weighted.weight * others.weight)::double as agreement
    from weighted
    inner join weighted as others
        on weighted.n_back = others.n_back
        and weighted.customer_id = others.customer_id
        and weighted.product_id != others.product_id
    group by weighted.n_back, weighted.product_id, others.product_id
    having count(*) >= 2
),

-- Few customers in common prove little, so the similarity is shrunk towards 0: by half for two, hardly for twenty.
scored as (
    select
        pairs.n_back,
        pairs.product_id,
        pairs.other_product_id,
        pairs.n_customers,
        pairs.agreement / (lengths.length * other_lengths.length) * pairs.n_customers / (pairs.n_customers + 2.0) as similarity
    from pairs
    inner join lengths on pairs.n_back = lengths.n_back and pairs.product_id = lengths.product_id
    inner join lengths as other_lengths
        on pairs.n_back = other_lengths.n_back and pairs.other_product_id = other_lengths.product_id
)

select * from scored
qualify
    row_number() over (partition by n_back, product_id order by similarity desc, other_product_id asc)
    <= {{ checked_number('offer_neighbours', 1, 1000) }}
