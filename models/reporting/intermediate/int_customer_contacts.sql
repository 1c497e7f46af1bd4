with horizon as (
    select * from {{ ref('int_event_horizon') }}
),

tickets as (
    select tickets.*
    from {{ ref('fct_tickets') }} as tickets
    cross join horizon
    where tickets.customer_id is not null and tickets.opened_at::date <= horizon.as_of_date
),

touches as (
    select touches.*
    from {{ ref('fct_campaign_touches') }} as touches
    cross join horizon
    where not touches.is_control and touches.touched_at::date <= horizon.as_of_date
),

visits as (
    select visits.*
    from {{ ref('fct_web_sessions') }} as visits
    cross join horizon
    where visits.customer_id is not null and visits.started_at::date <= horizon.as_of_date
),

asked as (
    select
        customer_id,
        count(*) as n_tickets,
        count(*) filter (where closed_at is null) as n_open_tickets,
        max(opened_at)::date as last_ticket_date,
        arg_max(category, (opened_at, ticket_id)) as last_ticket_category,
        arg_max(satisfaction, (opened_at, ticket_id)) filter (where satisfaction is not null) as last_satisfaction
    from tickets
    group by customer_id
),

addressed as (
    select
        customer_id,
        count(*) as n_messages,
        max(touched_at)::date as last_message_date,
        arg_max(campaign_name, (touched_at, campaign_touch_id)) as last_campaign_name,
        arg_max(channel, (touched_at, campaign_touch_id)) as last_message_channel,
        arg_max(coalesce(opened_at, clicked_at) is not null, (touched_at, campaign_touch_id)) as has_answered_last_message
    from touches
    group by customer_id
),

came as (
    select
        customer_id,
        max(started_at)::date as last_visit_date
    from visits
    group by customer_id
),

contacts as (
    select *
    from asked
    full join addressed using (customer_id)
    full join came using (customer_id)
)

select * from contacts
