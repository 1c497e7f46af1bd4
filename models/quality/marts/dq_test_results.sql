{{ config(materialized='incremental', full_refresh=false, incremental_strategy='append', on_schema_change='fail') }}
{#- An empty table; the macro record_test_results fills it after each command, when the tests have run. -#}
select
    null::varchar as run_id,
    null::varchar as test_name,
    null::varchar as test_type,
    null::varchar as table_name,
    null::varchar as column_name,
    null::varchar as severity,
    null::varchar as status,
    null::bigint as n_failures,
    null::varchar as failures_table
where false
