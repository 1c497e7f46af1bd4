{{ config(materialized='incremental', full_refresh=false, unique_key='run_id', incremental_strategy='delete+insert', on_schema_change='fail') }}
with run as (
    select * from {{ ref('int_quality_run') }}
),

runs as (
    select * from {{ ref('dq_runs') }}
),

counted as (
    {% for model in ['int_quality_checks', 'int_quality_agreement', 'int_quality_truth'] %}
    select
        source_table,
        column_name,
        dimension,
        stage,
        rules,
        n_checked,
        n_failed
    from {{ ref(model) }}
    {% if not loop.last %}union all{% endif %}
    {% endfor %}
),

scored as (
    select
        runs.run_id,
        runs.run_number,
        runs.as_of_date,
        counted.source_table,
        counted.column_name,
        counted.dimension,
        counted.stage,
        counted.rules,
        counted.n_checked,
        counted.n_failed,
        1 - counted.n_failed / counted.n_checked as score
    from counted
    cross join run
    inner join runs using (run_id)
)

select * from scored
