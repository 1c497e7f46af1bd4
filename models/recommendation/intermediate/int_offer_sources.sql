{%- set strengths = {
    'basket_rule': 'basket_confidence', 'path_rule': 'path_confidence', 'similar_customers': 'similarity',
    'popular_in_segment': 'segment_share',
} -%}
with features as (
    select * from {{ ref('int_offer_features') }}
    where n_back = 0
),

-- Where each ingredient would place the product in the customer's list.
placed as (
    select
        customer_id,
        product_id,
        is_owned,
        {% for source, strength in strengths.items() %}
        case
            when {{ strength }} > 0
                then rank() over (partition by customer_id, is_owned order by {{ strength }} desc nulls last)
        end as {{ source }}_place{{ ',' if not loop.last }}
        {% endfor %}
    from features
),

compared as (
    select
        *,
        least({{ strengths | join('_place, ') }}_place) as best_place
    from placed
),

sources as (
    select
        customer_id,
        product_id,
        case
            when is_owned then 'own_purchases'
            {% for source in strengths %}
            when {{ source }}_place = best_place then '{{ source }}'
            {% endfor %}
            else 'popular_in_segment'
        end as source
    from compared
)

select * from sources
