with dates as (
    select * from {{ ref('int_offer_dates') }}
),

purchases as (
    select * from {{ ref('int_product_purchases') }}
),

products as (
    select * from {{ ref('dim_products') }}
),

-- Learned from those who bought in the window; on the current day everybody is scored.
buyers as (
    select
        dates.n_back,
        purchases.customer_id,
        count(distinct purchases.product_id) as n_bought
    from dates
    inner join purchases on dates.offer_date < purchases.purchase_date and dates.window_end_date >= purchases.purchase_date
    where dates.n_back > 0
    group by dates.n_back, purchases.customer_id
),

known as (
    select
        dates.n_back,
        dates.offer_date,
        purchases.customer_id,
        purchases.product_id,
        purchases.purchase_date,
        products.category,
        buyers.n_bought
    from dates
    inner join purchases on dates.offer_date >= purchases.purchase_date
    left join buyers on dates.n_back = buyers.n_back and purchases.customer_id = buyers.customer_id
    left join products on purchases.product_id = products.product_id
    where dates.n_back = 0 or buyers.n_bought is not null
),

described as (
    select
        n_back,
        offer_date,
        customer_id,
        count(distinct purchase_date) as n_purchase_days,
        count(distinct purchase_date) filter (where purchase_date > offer_date - 90) as n_purchase_days_90d,
        count(distinct product_id) as n_products,
        count(*) / count(distinct purchase_date) as mean_basket,
        date_diff('day', max(purchase_date), offer_date) as days_since_purchase,
        any_value(n_bought) as n_bought
    from known
    group by n_back, offer_date, customer_id
),

main_categories as (
    select
        n_back,
        customer_id,
        category
    from known
    where category is not null
    group by n_back, customer_id, category
    qualify row_number() over (partition by n_back, customer_id order by count(*) desc, max(purchase_date) desc, category asc) = 1
),

sampled as (
    select
        described.*,
        main_categories.category as main_category
    from described
    left join main_categories
        on described.n_back = main_categories.n_back and described.customer_id = main_categories.customer_id
    qualify
        described.n_back = 0
        or row_number() over (partition by described.n_back order by described.customer_id)
        <= {{ checked_number('offer_fit_customers', 1, 10000000) }}
)

select * from sampled
