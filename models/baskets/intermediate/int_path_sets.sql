{#- The var path_rule_sets as a table; checked_sets stops the build at what is missing or not allowed. -#}
{%- set sets = checked_sets(
    'path_rule_sets',
    ['path_set', 'max_gap', 'max_span', 'max_steps', 'window_days', 'holdout_days', 'min_entities', 'min_confidence'],
    {'events': ['purchased_products', 'purchased_categories', 'visits', 'tickets']}
) -%}
with horizon as (
    select * from {{ ref('int_event_horizon') }}
),

path_sets as (
    {% for set in sets %}
    select
        '{{ set.path_set }}' as path_set,
        '{{ set.events }}' as events,
        {{ set.max_gap }} as max_gap,
        {{ set.max_span }} as max_span,
        {{ set.max_steps }} as max_steps,
        {{ set.window_days }} as window_days,
        {{ set.holdout_days }} as holdout_days,
        {{ set.min_entities }} as min_entities,
        {{ set.min_confidence }}::double as min_confidence
    {% if not loop.last %}union all{% endif %}
    {% else %}
    select
        null::varchar as path_set,
null::varchar as events,
null::integer as max_gap,
null::integer as max_span,
        null::integer as max_steps,
null::integer as window_days,
null::integer as holdout_days,
        null::integer as min_entities,
null::double as min_confidence
    where false
    {% endfor %}
),

dated as (
    select
        path_sets.*,
        case path_sets.events when 'visits' then 'visit' else 'customer' end as entity,
        case path_sets.events when 'visits' then 'event' when 'tickets' then 'hour' else 'day' end as gap_unit,
        -- How long the time after an event must be observed before it counts; a visit is always seen to its end.
        case path_sets.events when 'visits' then 0 when 'tickets' then ceil(path_sets.max_gap / 24)::integer else path_sets.max_gap end as gap_days,
        horizon.as_of_date,
        horizon.as_of_date - path_sets.holdout_days as trained_until,
        horizon.as_of_date - path_sets.holdout_days - path_sets.window_days as trained_after
    from path_sets
    cross join horizon
)

select * from dated
