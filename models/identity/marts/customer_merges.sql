{{ config(materialized='incremental', full_refresh=false, unique_key='merge_event_id', incremental_strategy='append', on_schema_change='fail') }}
{#- A log of what changed between builds. The assignment it compares with is what its own earlier rows add up to, so that a full
    refresh of everything else loses nothing. -#}
with current_records as (
    select
        record_id,
        customer_id
    from {{ ref('int_customer_sources') }}
),

horizon as (
    select * from {{ ref('int_event_horizon') }}
),

override_records as (
    select
        unnest([record_a, record_b]) as record_id,
        decision || ': ' || reason as override_reason
    from {{ ref('identity_overrides') }}
),

overrides as (
    select
        record_id,
        min(override_reason) as override_reason
    from override_records
    group by record_id
),

{% if is_incremental() %}
known_records as (
    select
        record_id,
        arg_max(customer_id, build_number) as customer_id
    from {{ this }}
    group by record_id
),

last_build as (
    select coalesce(max(build_number), 0) as build_number from {{ this }}
),
{% else %}
known_records as (
    select
        ''::varchar as record_id,
        ''::varchar as customer_id
    where false
),

last_build as (
    select 0 as build_number
),
{% endif %}
-- A customer is merged when all its records went to another one, and split when only some of them left.
moved as (
    select
        current_records.record_id,
        current_records.customer_id,
        known_records.customer_id as previous_customer_id
    from current_records
    left join known_records using (record_id)
    where known_records.customer_id is distinct from current_records.customer_id
),

still_held as (
    select distinct customer_id from current_records
),

events as (
    select
        last_build.build_number + 1 as build_number,
        moved.record_id,
        moved.customer_id,
        moved.previous_customer_id,
        case
            when moved.previous_customer_id is null then 'assigned'
            when still_held.customer_id is not null then 'split'
            else 'merge'
        end as event_type,
        coalesce('override ' || overrides.override_reason, 'match weights') as reason,
        horizon.as_of_date
    from moved
    cross join last_build
    cross join horizon
    left join still_held on still_held.customer_id = moved.previous_customer_id
    left join overrides using (record_id)
),

keyed as (
    select
        record_id || '@' || build_number as merge_event_id,
        *
    from events
)

select * from keyed
