with fitted as (
    {{ fit_rows('decile', {
        'model': 'varchar', 'split': 'varchar', 'decile': 'bigint', 'n_customers': 'bigint', 'n_positive': 'bigint',
        'mean_probability': 'double', 'observed_rate': 'double', 'lift': 'double',
    }) | indent(4) }}
)

select * from fitted
