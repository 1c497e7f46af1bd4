with events as (
    select * from {{ ref('int_web_event_sessions') }}
),

sources as (
    select * from {{ ref('int_customer_sources') }}
),

sessions as (
    select
        web_session_id,
        min(visitor_id) as visitor_id,
        max(customer_id) as shop_customer_id,
        min(event_at) as started_at,
        max(event_at) as ended_at,
        date_diff('second', min(event_at), max(event_at)) as duration_seconds,
        count(*) as n_events,
        count(distinct product_id) as n_products_viewed,
        arg_min(traffic_source, (event_at, source_key)) as traffic_source,
        arg_min(page, (event_at, source_key)) as entry_page,
        coalesce(bool_or(lower(event_name) = 'add_to_cart'), false) as has_cart,
        coalesce(bool_or(lower(event_name) = 'purchase'), false) as has_purchase
    from events
    group by web_session_id
),

joined as (
    select
        sessions.*,
        sources.customer_id
    from sessions
    left join sources on sources.source_table = 'shop.customers' and sources.source_key = sessions.shop_customer_id
)

select * from joined
