{#- A grid of 90 days from 2000-01-01, which no later data can move. -#}
with horizon as (
    select * from {{ ref('int_event_horizon') }}
),

earlier as (
    select
        horizon.as_of_date as current_date_of_data,
        '2000-01-01'::date + (90 * (date_diff('day', '2000-01-01'::date, horizon.as_of_date - 1) // 90 - steps.step))::integer as as_of_date
    from horizon
    cross join (select unnest(range({{ var('n_as_of_dates') }})) as step) as steps
),

dates as (
    select
        as_of_date as current_date_of_data,
        as_of_date
    from horizon
    union all
    select * from earlier
),

labelled as (
    select
        as_of_date,
        as_of_date = current_date_of_data as is_current,
        as_of_date + 90 <= current_date_of_data as is_labelled
    from dates
)

select * from labelled
