{%- set behaviour = [
    'days_since_purchase', 'days_since_first_purchase', 'n_orders_365d', 'mean_order_amount', 'mean_gap_days', 'n_categories',
    'promotion_share', 'return_share', 'discount_share', 'mean_units', 'n_visits_365d', 'n_tickets_365d', 'open_share',
] -%}
with features as (
    select
        *,
        n_promotion_orders / n_orders as promotion_share
    from {{ ref('int_customer_features') }}
    where n_orders > 0
),

shares as (
    select * from {{ ref('int_category_shares') }}
),

forms as (
    select * from {{ ref('segment_features') }}
),

measured as (
    {% for feature in behaviour %}
    select
        customer_id,
        as_of_date,
        '{{ feature }}' as feature,
        -- Who bought once has no gap between purchases yet: at least the time since then.
        coalesce({{ feature }}, {{ 'greatest(days_since_first_purchase, 365)' if feature == 'mean_gap_days' else 0 }})::double as value
    from features
    {{ 'union all' if not loop.last }}
    {% endfor %}
),

-- The logarithm shortens the long tails of counts, days and amounts; the root those of shares.
behaviours as (
    select
        forms.clustering,
        measured.customer_id,
        measured.as_of_date,
        measured.feature,
        measured.value,
        case forms.form
            when 'logarithm' then sign(measured.value) * ln(1 + abs(measured.value))
            when 'root' then sqrt(greatest(measured.value, 0))
            else measured.value
        end as scaled
    from measured
    inner join forms on measured.feature = forms.feature
    where forms.clustering = 'behaviour'
),

inputs as (
    select * from behaviours
    union all by name
    select
        'needs' as clustering,
        customer_id,
        as_of_date,
        category as feature,
        line_share as value,
        evidence as scaled
    from shares
)

select * from inputs
