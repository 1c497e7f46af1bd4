with lists as (
    select * from {{ ref('int_offer_lists') }}
),

evidence as (
    select * from {{ ref('int_offer_evidence') }}
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

products as (
    select * from {{ ref('dim_products') }}
),

horizon as (
    select * from {{ ref('int_event_horizon') }}
),

-- The product bought that is evidence for the offer, and how much more often than usual both go together.
supported as (
    select
        evidence.customer_id,
        evidence.product_id,
        coalesce(products.product_name, evidence.evidence_product_id) as evidence_product,
        ', ' || {{ number_text('evidence.lift::decimal(18, 1)') }} || ' times as often as usual' as how_often
    from evidence
    inner join products on evidence.evidence_product_id = products.product_id
),

worded as (
    select
        lists.customer_id,
        lists.recommendation_rank::integer as recommendation_rank,
        horizon.as_of_date,
        lists.product_id,
        products.product_name,
        lists.score,
        case
            when lists.source = 'own_purchases'
                then 'bought ' || history.n_purchases || case when history.n_purchases = 1 then ' time, ' else ' times, last ' end
                    || case history.days_since_product when 0 then 'today' when 1 then 'yesterday' else history.days_since_product || ' days ago' end
            when lists.source = 'basket_rule' then 'bought together with ' || supported.evidence_product || supported.how_often
            when lists.source = 'path_rule' then 'bought after ' || supported.evidence_product || supported.how_often
            when lists.source = 'similar_customers' then 'customers who bought ' || supported.evidence_product || ' bought this too'
            when lists.is_filler then 'popular in ' || coalesce(customers.country, 'all countries')
            else 'popular with customers of ' || coalesce(buyers.main_category, 'the shop')
        end as reason,
        lists.source,
        buyers.customer_id is null as is_cold_start
    from lists
    cross join horizon
    inner join products on lists.product_id = products.product_id
    inner join customers on lists.customer_id = customers.customer_id
    left join buyers on lists.customer_id = buyers.customer_id
    left join history on lists.customer_id = history.customer_id and lists.product_id = history.product_id
    left join supported on lists.customer_id = supported.customer_id and lists.product_id = supported.product_id
)

select * from worded
