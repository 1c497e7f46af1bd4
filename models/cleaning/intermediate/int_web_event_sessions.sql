with events as (
    select * from {{ ref('int_web_events_cleaned') }}
),

spaced as (
    select
        * exclude (repairs),
        coalesce(date_diff('second', lag(event_at) over (
            partition by visitor_id order by event_at, source_key
        ), event_at) > 60 * {{ var('session_gap_minutes') }}, true)::integer as is_new_session
    from events
),

-- Where the source does not name the visit, a visitor's n-th visit begins after the n-th silence.
numbered as (
    select
        * exclude (is_new_session),
        visitor_id || '#' || coalesce(session_id, (sum(is_new_session) over (
            partition by visitor_id order by event_at, source_key
            rows between unbounded preceding and current row
        ))::varchar) as web_session_id
    from spaced
)

select * from numbered
