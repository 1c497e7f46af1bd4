with rules as (
    select * from {{ ref('issue_rules') }}
),

outliers as (
    select * from {{ ref('int_outliers') }}
),

isolated as (
    select * from {{ ref('int_isolated_orders') }}
),

{% for model in ['int_repaired_issues', 'int_place_issues', 'int_event_issues'] %}
of_{{ model }} as (
    select
        source_table,
        source_key,
        column_name,
        rule,
        value,
        expected,
        null::double as deviations,
        repair,
        {{ 'true' if model == 'int_repaired_issues' else 'false' }} as is_repaired
    from {{ ref(model) }}
),

{% endfor %}
found as (
    select * from of_int_repaired_issues
    union all
    select * from of_int_place_issues
    union all
    select * from of_int_event_issues
    union all
    select
        source_table,
        source_key,
        column_name,
        rule,
        round(value, 4)::varchar as value,
        'about ' || round(exp(usual), 2) || ', as usual for ' || case when judged_by = 'all' then 'all orders' else history end as expected,
        deviations,
        null as repair,
        false as is_repaired
    from outliers
    union all
    select
        'shop.orders' as source_table,
        source_key,
        '*' as column_name,
        'unusual_combination' as rule,
        oddest_measure || ' ' || round(oddest_value, 4) as value,
        'about ' || round(usual_value, 4) || ', or another combination' as expected,
        deviations,
        null as repair,
        false as is_repaired
    from isolated
),

judged as (
    select
        found.source_table,
        found.source_key,
        found.column_name,
        found.rule,
        rules.severity,
        found.value,
        found.expected,
        found.deviations,
        found.repair,
        found.is_repaired
    from found
    left join rules using (rule)
)

select * from judged
