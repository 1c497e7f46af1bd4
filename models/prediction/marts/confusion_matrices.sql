with fitted as (
    {{ fit_rows('confusion', {
        'model': 'varchar', 'split': 'varchar', 'threshold': 'double', 'is_actual': 'boolean', 'is_predicted': 'boolean',
        'n_customers': 'bigint',
    }) | indent(4) }}
)

select * from fitted
