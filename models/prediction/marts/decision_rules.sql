with fitted as (
    {{ fit_rows('rule', {
        'model': 'varchar', 'leaf': 'bigint', 'rule': 'varchar', 'n_customers': 'bigint', 'share_of_customers': 'double',
        'rate': 'double', 'interval_low': 'double', 'interval_high': 'double',
    }) | indent(4) }}
)

select * from fitted
