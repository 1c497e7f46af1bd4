{#- The moments of past campaigns, and the current day with every channel that has been used. -#}
with outcomes as (
    select * from {{ ref('int_message_outcomes') }}
    where is_complete
),

campaigns as (
    select
        campaign_id,
        any_value(channel) as channel,
        min(campaign_started_at)::date as started_date
    from {{ ref('fct_campaign_touches') }}
    group by campaign_id
),

costs as (
    select * from {{ ref('channel_costs') }}
),

customers as (
    select * from {{ ref('dim_customers') }}
),

horizon as (
    select * from {{ ref('int_event_horizon') }}
),

moments as (
    select
        outcomes.campaign_id,
        outcomes.customer_id,
        campaigns.channel,
        campaigns.started_date,
        outcomes.touched_date as moment_date,
        outcomes.touched_date + {{ var('conversion_days') }} as outcome_known_date,
        not outcomes.is_control as is_treated,
        outcomes.has_converted,
        outcomes.revenue_amount::double as revenue_amount
    from outcomes
    inner join campaigns on outcomes.campaign_id = campaigns.campaign_id
    union all
    select
        'current' as campaign_id,
        customers.customer_id,
        channels.channel,
        null as started_date,
        horizon.as_of_date + 1 as moment_date,
        null as outcome_known_date,
        null as is_treated,
        null as has_converted,
        null as revenue_amount
    from customers
    cross join horizon
    cross join (select distinct campaigns.channel from campaigns inner join costs using (channel)) as channels
)

select * from moments
