with fitted as (
    {{ fit_rows('bin', {
        'model': 'varchar', 'split': 'varchar', 'bin': 'bigint', 'n_customers': 'bigint', 'mean_probability': 'double',
        'observed_rate': 'double', 'interval_low': 'double', 'interval_high': 'double',
    }) | indent(4) }}
)

select * from fitted
