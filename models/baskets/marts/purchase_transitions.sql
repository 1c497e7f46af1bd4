with states as (
    select * from {{ ref('int_purchase_states') }}
),

days as (
    select
        level,
        customer_id,
        purchase_date,
        count(*) as n_items,
        lead(purchase_date) over (partition by level, customer_id order by purchase_date) as next_date,
        lead(count(*)) over (partition by level, customer_id order by purchase_date) as n_next_items
    from states
    group by level, customer_id, purchase_date
),

-- Each step from a purchase day to the next one weighs 1, shared evenly among its pairs of items. Decimals, so that
-- sums don't depend on the order of their terms.
pairs as (
    select
        days.level,
        origin.item_id as from_item_id,
        origin.item as from_item,
        target.item_id as to_item_id,
        target.item as to_item,
        count(*) as n_transitions,
        count(distinct days.customer_id) as n_customers,
        sum((1 / (days.n_items * days.n_next_items))::decimal(18, 9)) as weight,
        median(date_diff('day', days.purchase_date, days.next_date)) as median_days
    from days
    inner join states as origin on
        days.level = origin.level
        and days.customer_id = origin.customer_id
        and days.purchase_date = origin.purchase_date
    inner join states as target on
        days.level = target.level
        and days.customer_id = target.customer_id
        and days.next_date = target.purchase_date
    group by days.level, origin.item_id, origin.item, target.item_id, target.item
),

shares as (
    select
        level,
        from_item_id,
        from_item,
        to_item_id,
        to_item,
        n_transitions,
        n_customers,
        (weight / sum(weight) over (partition by level, from_item_id))::double as probability,
        (sum(weight) over (partition by level, to_item_id) / sum(weight) over (partition by level))::double as base_probability,
        median_days::double as median_days
    from pairs
),

lifted as (
    select
        *,
        probability / base_probability as lift
    from shares
)

select * from lifted
