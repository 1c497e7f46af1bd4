{%- set events = {
    'stg_crm__opportunities': 'created_at', 'stg_crm__opportunity_stages': 'entered_at', 'stg_shop__orders': 'ordered_at',
    'stg_shop__web_events': 'event_at', 'stg_support__tickets': 'opened_at', 'stg_marketing__touches': 'touched_at',
} -%}
with event_days as (
    {% for model, column in events.items() %}
    select {{ column }}::date as event_date
    from {{ ref(model) }}
    where {{ column }} >= '{{ var("earliest_event_date") }}'
    {% if not loop.last %}union all{% endif %}
    {% endfor %}
),

counted as (
    select
        event_date,
        count(*) as n_events
    from event_days
    group by event_date
),

spaced as (
    select
        event_date,
        date_diff('day', lag(event_date) over (order by event_date), event_date) as gap_days,
        sum(n_events) over (order by event_date desc) / sum(n_events) over () as share_from_here
    from counted
),

-- No clock is read: a date is in the future when it lies beyond a long silence, with hardly any events there.
future as (
    select min(event_date) as first_future_date
    from spaced
    where gap_days > {{ var('future_gap_days') }} and share_from_here <= {{ var('future_max_share') }}
),

horizon as (
    select
        max(counted.event_date) as last_event_date,
        -- Without a single event there is no last day; the build must not fall back to the clock.
        coalesce(try_cast(nullif('{{ var("as_of_date") }}', '') as date), max(counted.event_date), '1970-01-01'::date) as as_of_date
    from counted
    cross join future
    where counted.event_date < coalesce(future.first_future_date, 'infinity'::date)
)

select * from horizon
