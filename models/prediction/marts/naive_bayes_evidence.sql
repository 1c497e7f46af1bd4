with fitted as (
    {{ fit_rows('evidence', {
        'feature': 'varchar', 'attribute': 'varchar', 'term': 'varchar', 'log_odds': 'double', 'interval_low': 'double',
        'interval_high': 'double', 'share_of_customers': 'double',
    }) | indent(4) }}
)

select * from fitted
