with purchases as (
    select * from {{ ref('int_purchase_features') }}
),

classes as (
    select * from {{ ref('rfm_classes') }}
),

-- Quintiles by rank, so that equal customers get equal scores; 5 is best.
ranked as (
    select
        customer_id,
        as_of_date,
        days_since_purchase as recency_days,
        n_orders as frequency,
        order_amount as monetary_amount,
        {% for score, order in {'r': 'days_since_purchase desc', 'f': 'n_orders', 'm': 'order_amount'}.items() %}
        least(floor(5 * (rank() over (partition by as_of_date order by {{ order }}) - 1) / count(*) over (partition by as_of_date)), 4)::bigint
            + 1 as {{ score }}_score{{ ',' if not loop.last }}
        {% endfor %}
    from purchases
),

-- The usual classes use recency and the mean of frequency and money.
averaged as (
    select
        *,
        ceil((f_score + m_score) / 2)::bigint as fm_score
    from ranked
),

named as (
    select
        averaged.customer_id,
        averaged.as_of_date,
        averaged.recency_days,
        averaged.frequency,
        averaged.monetary_amount,
        averaged.r_score,
        averaged.f_score,
        averaged.m_score,
        classes.rfm_class
    from averaged
    left join classes on
        averaged.r_score between classes.r_from and classes.r_to
        and averaged.fm_score between classes.fm_from and classes.fm_to
)

select * from named
