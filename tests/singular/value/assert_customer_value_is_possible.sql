-- No value is empty, NaN or infinite; an expectation lies within its interval, and that of a year is not below that of a quarter.
with checked as (
    select
        customer_id,
        as_of_date,
        coalesce(p_alive >= 0 and p_alive <= 1 and isfinite(expected_order_amount) and expected_order_amount >= 0, false)
        {% for name in ['orders', 'value'] %}
        {% for days in [90, 365] %}
        {% set column = 'expected_' ~ name ~ '_' ~ days ~ 'd' %}
        and coalesce({{ column }} between {{ column }}_low and {{ column }}_high, false)
        and coalesce({{ column }}_low >= 0 and isfinite({{ column }}_high), false)
        {% endfor %}
        and coalesce(expected_{{ name }}_90d <= expected_{{ name }}_365d * (1 + 1e-9), false)
        {% endfor %}
            as is_possible
    from {{ ref('customer_value') }}
)

select * from checked
where not is_possible
