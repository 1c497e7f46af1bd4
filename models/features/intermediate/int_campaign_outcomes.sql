with as_of_dates as (
    select * from {{ ref('int_as_of_dates') }}
    where is_labelled
),

touches as (
    select * from {{ ref('fct_campaign_touches') }}
),

orders as (
    select * from {{ ref('fct_orders') }}
),

sent as (
    select
        touches.*,
        as_of_dates.as_of_date
    from touches
    inner join as_of_dates on
        touches.touched_at::date > as_of_dates.as_of_date
        and touches.touched_at::date <= as_of_dates.as_of_date + 90
    where not touches.is_control and touches.customer_id is not null
),

redeemed as (
    select distinct
        sent.campaign_touch_id,
        sent.as_of_date
    from sent
    inner join orders on
        sent.customer_id = orders.customer_id
        and sent.promotion_code = orders.promotion_code
        and sent.touched_at <= orders.ordered_at
        and sent.as_of_date + 90 >= orders.ordered_date
    where orders.order_type = 'sale' and {{ is_counted() }}
),

answered as (
    select
        sent.customer_id,
        sent.as_of_date,
        coalesce(bool_or(
            redeemed.campaign_touch_id is not null
            or least(sent.opened_at, sent.clicked_at)::date <= sent.as_of_date + 90
        ), false) as is_responding
    from sent
    left join redeemed on sent.campaign_touch_id = redeemed.campaign_touch_id and sent.as_of_date = redeemed.as_of_date
    group by sent.customer_id, sent.as_of_date
)

select * from answered
