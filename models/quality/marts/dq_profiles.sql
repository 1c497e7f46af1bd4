{{ config(materialized='incremental', full_refresh=false, unique_key='run_id', incremental_strategy='delete+insert', on_schema_change='fail') }}
with run as (
    select * from {{ ref('int_quality_run') }}
),

runs as (
    select * from {{ ref('dq_runs') }}
),

profiles as (
    select * from {{ ref('int_raw_profiles') }}
),

keyed as (
    select
        runs.run_id,
        runs.run_number,
        runs.as_of_date,
        profiles.source_table,
        profiles.column_name,
        profiles.n_rows,
        profiles.n_rows_total,
        profiles.freshness_days,
        profiles.n_filled,
        profiles.n_distinct,
        1 - profiles.n_filled / nullif(profiles.n_rows, 0) as null_share
    from profiles
    cross join run
    inner join runs using (run_id)
)

select * from keyed
