with orders as (
    select * from {{ ref('int_order_measures') }}
),

lines as (
    select * from {{ ref('int_order_lines_cleaned') }}
),

sales as (
    select * from {{ ref('int_orders_cleaned') }}
    where order_type = 'sale'
),

-- The least spread, in logarithms: where nearly all values are one and the same, a tenth more is no outlier, nor are three pieces.
measured as (
    select
        'amount_outlier' as rule,
        'shop.orders' as source_table,
        source_key,
        'amount' as column_name,
        customer_id as history,
        net_amount as value,
        0.1 as least_spread
    from orders
    union all
    select
        'unit_price_outlier' as rule,
        'shop.order_lines' as source_table,
        lines.source_key,
        'unit_price' as column_name,
        lines.product_id || ' in ' || year(sales.ordered_at) as history,
        (lines.unit_price * sales.exchange_rate)::double as value,
        0.1 as least_spread
    from lines
    inner join sales using (order_id)
    union all
    select
        'quantity_outlier' as rule,
        'shop.order_lines' as source_table,
        lines.source_key,
        'quantity' as column_name,
        lines.product_id as history,
        lines.quantity::double as value,
        0.5 as least_spread
    from lines
    inner join sales using (order_id)
),

positive as (
    select
        *,
        ln(value) as log_value
    from measured
    where value > 0
),

-- All of a history, later events too: this looks back for errors and is no feature. A median hardly moves by the value it judges.
histories as (
    select
        rule,
        history,
        count(*) as n_values,
        median(log_value) as usual,
        1.4826 * {{ median_deviation('log_value') }} as spread
    from positive
    where history is not null
    group by rule, history
),

everything as (
    select
        rule,
        median(log_value) as usual,
        1.4826 * {{ median_deviation('log_value') }} as spread
    from positive
    where rule = 'amount_outlier'
    group by rule
),

-- A history of few values can look narrower than any customer is, so its spread is at least the usual one of a history.
usual_spreads as (
    select
        rule,
        median(spread) as spread
    from histories
    where n_values >= {{ var('outlier_min_history') }}
    group by rule
),

judged as (
    select
        positive.*,
        coalesce(histories.usual, everything.usual) as usual,
        case when histories.rule is not null then 'own' else 'all' end as judged_by,
        (positive.log_value - coalesce(histories.usual, everything.usual)) / greatest(
            coalesce(histories.spread, everything.spread),
            case when histories.rule is not null then usual_spreads.spread else 0 end,
            positive.least_spread
        ) as deviations
    from positive
    left join histories
        on
            histories.rule = positive.rule and histories.history = positive.history
            and histories.n_values >= {{ var('outlier_min_history') }}
    left join everything on everything.rule = positive.rule
    left join usual_spreads on usual_spreads.rule = positive.rule
),

outliers as (
    select * exclude (log_value, least_spread)
    from judged
    where abs(deviations) >= {{ var('outlier_spreads') }}
)

select * from outliers
