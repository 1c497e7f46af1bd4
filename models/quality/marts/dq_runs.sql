{{ config(materialized='incremental', full_refresh=false, unique_key='run_id', incremental_strategy='delete+insert', on_schema_change='fail') }}
{#- A run is a state of the raw data and a day it is looked at from, not an invocation of dbt: the same data built again is the
    same run, so that a rebuild changes nothing and no clock is asked. -#}
with run as (
    select * from {{ ref('int_quality_run') }}
),

{% if is_incremental() %}
known as (
    select
        run_id,
        run_number
    from {{ this }}
),
{% else %}
known as (
    select
        ''::varchar as run_id,
        0::bigint as run_number
    where false
),
{% endif %}
last_run as (
    select coalesce(max(run_number), 0) as run_number from known
),

numbered as (
    select
        run.run_id,
        coalesce(known.run_number, last_run.run_number + 1)::bigint as run_number,
        run.as_of_date,
        run.n_raw_rows
    from run
    cross join last_run
    left join known using (run_id)
)

select * from numbered
