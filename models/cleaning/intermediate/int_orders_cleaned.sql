with raw_orders as (
    {{ accepted_rows('shop', 'orders') }}
),

repaired as (
    select * from {{ ref('int_orders_repaired') }}
),

currencies as (
    select * from {{ ref('int_order_currencies') }}
),

imputed as (
    {{ imputed_columns('orders', {'channel': 'varchar'}) }}
),

rates as (
    select * from {{ ref('int_exchange_rates') }}
),

filled as (
    select
        repaired.* replace (
            coalesce(repaired.channel, imputed.channel) as channel,
            coalesce(currencies.currency, repaired.currency) as currency
        ),
        repaired.channel is null and imputed.channel is not null as is_channel_imputed,
        coalesce(imputed.rules['channel'], repaired.channel_rule) as final_channel_rule,
        case when currencies.currency is not null then 'currency_by_prices' else 'assumed_currency' end as currency_rule
    from repaired
    left join imputed on imputed.record_key = repaired.source_key
    left join currencies using (order_id)
),

cleaned as (
    select
        filled.* exclude (repairs, type_rule, channel_rule, final_channel_rule, currency_rule),
        rates.rate as exchange_rate,
        filled.repairs || {{ repairs([
            repair('order_type', 'raw_orders.order_type', 'filled.order_type', 'filled.type_rule'),
            repair('channel', 'raw_orders.channel', 'filled.channel', 'filled.final_channel_rule'),
            repair('currency', 'raw_orders.currency', 'filled.currency', 'filled.currency_rule'),
            repair('shipped_at', 'raw_orders.shipped_at', 'filled.shipped_at', "'impossible_date'"),
        ]) }} as repairs
    from filled
    inner join raw_orders using (source_key)
    inner join rates
        on {{ rate_on('filled.currency', 'filled.ordered_at') }}
)

select * from cleaned
