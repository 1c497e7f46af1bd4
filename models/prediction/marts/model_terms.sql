with fitted as (
    {{ fit_rows('term', {
        'model': 'varchar', 'term': 'varchar', 'feature': 'varchar', 'family': 'varchar', 'coefficient': 'double',
        'interval_low': 'double', 'interval_high': 'double', 'permutation_importance': 'double',
    }) | indent(4) }}
)

select * from fitted
