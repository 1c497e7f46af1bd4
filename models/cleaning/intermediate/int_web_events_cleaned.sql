with events as (
    {{ accepted_rows('shop', 'web_events') }}
),

event_words as (
    {{ vocabulary('shop.web_events', 'event_name') }}
),

cleaned as (
    select
        events.source_key,
        events.visitor_id,
        events.event_at,
        coalesce(event_words.value, events.event_name) as event_name,
        events.session_id,
        events.customer_id,
        events.product_id,
        events.page,
        events.traffic_source,
        {{ repairs([
            repair('event_name', 'events.event_name', 'coalesce(event_words.value, events.event_name)', 'event_words.rule'),
        ]) }} as repairs
    from events
    left join event_words on event_words.written_value = events.event_name
)

select * from cleaned
