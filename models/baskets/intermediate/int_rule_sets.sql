{#- The var basket_rule_sets as a table; checked_sets stops the build at what is missing or not allowed. -#}
{%- set sets = checked_sets(
    'basket_rule_sets',
    ['rule_set', 'window_days', 'holdout_days', 'min_support', 'min_confidence', 'max_length', 'max_right'],
    {'unit': ['order', 'session', 'customer'], 'level': ['product', 'category']}
) -%}
with horizon as (
    select * from {{ ref('int_event_horizon') }}
),

rule_sets as (
    {% for set in sets %}
    select
        '{{ set.rule_set }}' as rule_set,
        '{{ set.unit }}' as unit,
        '{{ set.level }}' as level,
        {{ set.window_days }} as window_days,
        {{ set.holdout_days }} as holdout_days,
        {{ set.min_support }}::double as min_support,
        {{ set.min_confidence }}::double as min_confidence,
        {{ set.max_length }} as max_length,
        {{ set.max_right }} as max_right
    {% if not loop.last %}union all{% endif %}
    {% else %}
    select
        null::varchar as rule_set,
null::varchar as unit,
null::varchar as level,
null::integer as window_days,
        null::integer as holdout_days,
null::double as min_support,
null::double as min_confidence,
        null::integer as max_length,
null::integer as max_right
    where false
    {% endfor %}
),

dated as (
    select
        rule_sets.*,
        {{ var('min_rule_baskets') }} as min_baskets,
        {{ var('max_itemsets') }} as max_itemsets,
        horizon.as_of_date,
        horizon.as_of_date - rule_sets.holdout_days as trained_until,
        horizon.as_of_date - rule_sets.holdout_days - rule_sets.window_days as trained_after
    from rule_sets
    cross join horizon
)

select * from dated
