with touches as (
    select * from {{ ref('int_touches_cleaned') }}
),

campaigns as (
    select * from {{ ref('int_campaigns_cleaned') }}
),

sources as (
    select * from {{ ref('int_customer_sources') }}
),

joined as (
    select
        touches.source_key as campaign_touch_id,
        touches.campaign_id,
        campaigns.campaign_name,
        campaigns.channel,
        campaigns.promotion_code,
        sources.customer_id,
        touches.subscriber_id as marketing_subscriber_id,
        touches.touched_at,
        coalesce(touches.is_control, false) as is_control,
        touches.opened_at,
        touches.clicked_at,
        campaigns.started_at as campaign_started_at,
        campaigns.ended_at as campaign_ended_at,
        campaigns.cost_amount as campaign_cost_amount
    from touches
    inner join campaigns using (campaign_id)
    left join sources on sources.source_table = 'marketing.subscribers' and sources.source_key = touches.subscriber_id
)

select * from joined
