with dates as (
    select * from {{ ref('int_offer_dates') }}
),

purchases as (
    select * from {{ ref('int_product_purchases') }}
),

counted as (
    select
        dates.n_back,
        purchases.product_id,
        {% for days in [7, 14, 30, 90] %}
        count(distinct purchases.customer_id) filter (where purchases.purchase_date > dates.offer_date - {{ days }}) as n_buyers_{{ days }}d,
        {% endfor %}
        count(distinct purchases.customer_id) as n_buyers,
        count(*) / count(distinct purchases.customer_id) as purchases_per_buyer,
        date_diff('day', min(purchases.purchase_date), any_value(dates.offer_date)) as product_age_days,
        date_diff('day', max(purchases.purchase_date), any_value(dates.offer_date)) as product_silence_days,
        -- The same weeks a year ago: what came after them, and what was before.
        count(distinct purchases.customer_id) filter (
            where purchases.purchase_date > dates.offer_date - 365 and purchases.purchase_date <= dates.offer_date - 335
        ) as n_buyers_next_last_year,
        count(distinct purchases.customer_id) filter (
            where purchases.purchase_date > dates.offer_date - 395 and purchases.purchase_date <= dates.offer_date - 365
        ) as n_buyers_last_year
    from dates
    inner join purchases on dates.offer_date >= purchases.purchase_date
    group by dates.n_back, purchases.product_id
),

-- Counts grow and fall with the shop; divided by those of the best-selling product they mean the same in every window.
ranked as (
    select
        *,
        {% for period in ['_7d', '_14d', '_30d', '_90d', '', '_next_last_year', '_last_year'] %}
        coalesce(n_buyers{{ period }} / nullif(max(n_buyers{{ period }}) over (partition by n_back), 0), 0) as share_of_best{{ period }},
        {% endfor %}
        row_number() over (partition by n_back order by n_buyers_7d desc, n_buyers_30d desc, product_id asc) as rank_7d,
        row_number() over (partition by n_back order by n_buyers_14d desc, n_buyers_30d desc, product_id asc) as rank_14d,
        row_number() over (partition by n_back order by n_buyers desc, product_id asc) as rank_ever
    from counted
)

select * from ranked
