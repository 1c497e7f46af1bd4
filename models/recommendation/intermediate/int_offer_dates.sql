{#- n_back 0: offers are made on this day. 1: its window is the test. Each learns from the three windows before it. -#}
with horizon as (
    select * from {{ ref('int_event_horizon') }}
),

purchases as (
    select * from {{ ref('int_product_purchases') }}
),

dates as (
    select
        steps.n_back,
        horizon.as_of_date - (steps.n_back * {{ checked_number('offer_days', 1, 365) }})::integer as offer_date,
        horizon.as_of_date - ((steps.n_back - 1) * {{ var('offer_days') }})::integer as window_end_date
    from horizon
    cross join (select unnest(range(5)) as n_back) as steps
),

-- The newest purchases are the most informative, but there must be enough of them.
measured as (
    select
        dates.n_back,
        dates.offer_date,
        dates.window_end_date,
        case
            {% for days in [30, 90] %}
            when
                count(*) filter (where purchases.purchase_date > dates.offer_date - {{ days }})
                >= {{ checked_number('offer_similarity_purchases', 0, 1000000000) }}
                then {{ days }}
            {% endfor %}
            else 365
        end as similarity_days
    from dates
    left join purchases on dates.offer_date >= purchases.purchase_date
    group by dates.n_back, dates.offer_date, dates.window_end_date
)

select * from measured
