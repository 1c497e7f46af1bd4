{#- A dimension of sales is a column of int_sold_lines; 'total' is the same for all lines. -#}
{%- set dimensions = {"total": "'total'", "channel": "channel", "category": "category", "segment": "segment"} -%}
with lines as (
    select * from {{ ref('int_sold_lines') }}
),

bookings as (
    select * from {{ ref('int_purchase_bookings') }}
),

opportunities as (
    select * from {{ ref('fct_opportunities') }}
),

tickets as (
    select * from {{ ref('fct_tickets') }}
),

sales as (
    {% for dimension, member in dimensions.items() %}
    select
        '{{ dimension }}' as dimension,
        {{ member }} as member,
        ordered_date as measured_date,
        sum(net_amount)::decimal(18, 4) as revenue,
        count(distinct order_id) filter (where is_sale)::decimal(18, 4) as orders,
        sum(quantity)::decimal(18, 4) as units
    from lines
    group by all
    {% if not loop.last %}union all{% endif %}
    {% endfor %}
),

first_purchases as (
    select min(purchase_date) as measured_date
    from bookings
    group by customer_id
),

-- What comes into the pipeline and leaves it; the sum up to a day is what is in it.
pipeline as (
    select
        created_at::date as measured_date,
        opportunity_amount as amount
    from opportunities
    where not (is_closed and closed_at is null)
    union all
    select
        closed_at::date as measured_date,
        -opportunity_amount as amount
    from opportunities
    where is_closed
),

measures as (
    {% for measure in ['revenue', 'orders', 'units'] %}
    select
        '{{ measure }}' as measure,
        dimension,
        member,
        measured_date,
        {{ measure }} as value
    from sales
    union all
    {% endfor %}
    select
        'new_customers' as measure,
        'total' as dimension,
        'total' as member,
        measured_date as measured_date,
        count(*)::decimal(18, 4) as value
    from first_purchases
    group by all
    union all
    select
        'pipeline' as measure,
        'total' as dimension,
        'total' as member,
        measured_date as measured_date,
        sum(coalesce(amount, 0))::decimal(18, 4) as value
    from pipeline
    group by all
    union all
    select
        'tickets' as measure,
        'total' as dimension,
        'total' as member,
        opened_at::date as measured_date,
        count(*)::decimal(18, 4) as value
    from tickets
    group by all
)

select * from measures
where measured_date is not null
