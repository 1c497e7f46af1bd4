{#- Rules with one product on each side, measured as in basket_rules and path_rules, but from the days before each window alone:
    what goes with what today must not be known when an earlier window is judged. -#}
with dates as (
    select * from {{ ref('int_offer_dates') }}
),

purchases as (
    select * from {{ ref('int_product_purchases') }}
),

-- A purchase follows the baskets of the days before it, back to the last one that the same product followed already.
recent as (
    select
        dates.n_back,
        purchases.customer_id,
        purchases.product_id,
        purchases.purchase_date,
        greatest(
            purchases.purchase_date - {{ var('offer_days') }},
            lag(purchases.purchase_date) over (
                partition by dates.n_back, purchases.customer_id, purchases.product_id order by purchases.purchase_date
            )
        ) as follows_since
    from dates
    inner join purchases
        on dates.offer_date >= purchases.purchase_date
        and dates.offer_date - dates.similarity_days < purchases.purchase_date
),

-- A customer's purchases of a day; the product '' stands for whatever it was.
baskets as (
    select distinct
        n_back,
        customer_id,
        purchase_date,
        unnest([product_id, '']) as product_id
    from recent
),

sizes as (
    select
        n_back,
        product_id,
        count(*) as n_baskets
    from baskets
    group by n_back, product_id
),

pairs as (
    select
        baskets.n_back,
        baskets.product_id,
        recent.product_id as other_product_id,
        count(*) filter (where baskets.purchase_date = recent.purchase_date) as n_together,
        count(*) filter (where baskets.purchase_date < recent.purchase_date) as n_followed
    from baskets
    inner join recent
        on baskets.n_back = recent.n_back
        and baskets.customer_id = recent.customer_id
        and baskets.product_id != recent.product_id
        and baskets.purchase_date between recent.follows_since and recent.purchase_date
    group by baskets.n_back, baskets.product_id, recent.product_id
),

measured as (
    select
        pairs.*,
        pairs.n_together / sizes.n_baskets as basket_confidence,
        pairs.n_followed / sizes.n_baskets as path_confidence,
        basket_confidence / max(basket_confidence) filter (where pairs.product_id = '') over same_right as basket_lift,
        path_confidence / nullif(max(path_confidence) filter (where pairs.product_id = '') over same_right, 0) as path_lift
    from pairs
    inner join sizes on pairs.n_back = sizes.n_back and pairs.product_id = sizes.product_id
    window same_right as (partition by pairs.n_back, pairs.other_product_id)
),

-- By chance alone the count would be lift times smaller; a rule exceeds that by three standard errors.
rules as (
    select
        * replace (
            {% for kind, count in [('basket', 'n_together'), ('path', 'n_followed')] %}
            case
                when
                    {{ count }} >= {{ var('min_rule_baskets') }}
                    and {{ count }} - {{ count }} / {{ kind }}_lift > 3 * sqrt({{ count }} / {{ kind }}_lift)
                    then {{ kind }}_confidence
            end as {{ kind }}_confidence{{ ',' if not loop.last }}
            {% endfor %}
        )
    from measured
    where product_id != ''
)

select * from rules
where basket_confidence > 0 or path_confidence > 0
qualify
    row_number() over (partition by n_back, product_id order by basket_confidence desc nulls last, other_product_id asc)
    <= {{ var('offer_neighbours') }}
    or row_number() over (partition by n_back, product_id order by path_confidence desc nulls last, other_product_id asc)
    <= {{ var('offer_neighbours') }}
