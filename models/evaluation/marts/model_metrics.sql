{#- A model that is measured brings a table of these columns of its own; its name goes here. -#}
{%- set measured = [
    'int_identity_metrics', 'int_value_metrics', 'int_prediction_metrics', 'int_lifecycle_metrics', 'int_segment_metrics',
    'int_recommendation_metrics', 'int_uplift_metrics', 'int_forecast_metrics',
] -%}
with metrics as (
    {% for table in measured %}
    select
        model,
        target,
        split,
        fold,
        metric,
        value,
        interval_low,
        interval_high,
        baseline
    from {{ ref(table) }}
    {% if not loop.last %}union all{% endif %}
    {% endfor %}
),

definitions as (
    select * from {{ ref('metric_definitions') }}
),

defined as (
    select
        metrics.*,
        definitions.unit,
        definitions.better,
        definitions.description
    from metrics
    left join definitions on metrics.metric = definitions.metric
)

select * from defined
