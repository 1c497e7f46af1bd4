with scores as (
    select * from {{ ref('int_value_scores') }}
),

terms as (
    select * from {{ ref('value_terms') }}
),

fits as (
    select
        as_of_date as fitted_as_of_date,
        max(status) filter (where term = 'is_chosen' and value = 1) as fit_status,
        max(status) filter (where model = 'gamma_gamma') as amount_fit_status
    from terms
    group by as_of_date
),

ranked as (
    select
        scores.customer_id,
        scores.as_of_date,
        scores.p_alive,
        {% for days in [90, 365] %}
        {% for name in ['orders', 'value'] %}
        {% for end in ['', '_low', '_high'] %}
        scores.expected_{{ name }}_{{ days }}{{ end }} as expected_{{ name }}_{{ days }}d{{ end }},
        {% endfor %}
        {% endfor %}
        {% endfor %}
        scores.expected_order_amount,
        ntile(10) over (
            partition by scores.as_of_date order by scores.expected_value_365 desc, scores.customer_id asc
        ) as decile,
        scores.method,
        fits.fit_status,
        fits.amount_fit_status,
        scores.fitted_as_of_date
    from scores
    inner join fits on scores.fitted_as_of_date = fits.fitted_as_of_date
)

select * from ranked
