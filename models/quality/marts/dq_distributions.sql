{{ config(materialized='incremental', full_refresh=false, unique_key='run_id', incremental_strategy='delete+insert', on_schema_change='fail') }}
with run as (
    select * from {{ ref('int_quality_run') }}
),

runs as (
    select * from {{ ref('dq_runs') }}
),

bins as (
    select * from {{ ref('int_raw_bins') }}
),

keyed as (
    select
        runs.run_id,
        runs.run_number,
        runs.as_of_date,
        bins.source_table,
        bins.column_name,
        bins.bin,
        bins.n_rows,
        bins.n_rows / sum(bins.n_rows) over (partition by bins.source_table, bins.column_name) as share
    from bins
    cross join run
    inner join runs using (run_id)
)

select * from keyed
