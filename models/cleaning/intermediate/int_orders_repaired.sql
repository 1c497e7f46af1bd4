with orders as (
    {{ accepted_rows('shop', 'orders') }}
),

lines as (
    {{ accepted_rows('shop', 'order_lines') }}
),

channel_words as (
    {{ vocabulary('shop.orders', 'channel') }}
),

status_words as (
    {{ vocabulary('shop.orders', 'status') }}
),

type_words as (
    {{ vocabulary('shop.orders', 'order_type') }}
),

horizon as (
    select * from {{ ref('int_event_horizon') }}
),

signs as (
    select
        order_id,
        max(quantity) < 0 as has_only_negative_lines
    from lines
    group by order_id
),

repaired as (
    select
        orders.source_key,
        orders.order_id,
        orders.customer_id,
        orders.ordered_at,
        lower(coalesce(
            type_words.value, orders.order_type, case when signs.has_only_negative_lines then 'return' else 'sale' end
        )) as order_type,
        orders.order_type is not null as has_stated_type,
        orders.returned_order_id,
        coalesce(status_words.value, orders.status) as status,
        coalesce(channel_words.value, orders.channel) as channel,
        {{ known_currency('orders.currency') }} as currency,
        orders.promotion_code,
        orders.amount,
        case
            when orders.shipped_at::date between orders.ordered_at::date and horizon.last_event_date + interval 1 year then orders.shipped_at
        end as shipped_at,
        orders.unreadable_values || {{ repairs([
            repair('status', 'orders.status', 'coalesce(status_words.value, orders.status)', 'status_words.rule'),
        ]) }} as repairs,
        coalesce(type_words.rule, case when orders.order_type is null then 'from_lines' else 'letter_case' end) as type_rule,
        channel_words.rule as channel_rule
    from orders
    left join signs using (order_id)
    left join channel_words on channel_words.written_value = orders.channel
    left join status_words on status_words.written_value = orders.status
    left join type_words on type_words.written_value = orders.order_type
    cross join horizon
)

select * from repaired
