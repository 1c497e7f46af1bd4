with fitted as (
    {{ fit_rows('fit', {
        'model': 'varchar', 'kind': 'varchar', 'is_used': 'boolean', 'is_champion': 'boolean', 'is_baseline': 'boolean', 'status': 'varchar',
        'score': 'varchar', 'threshold': 'double', 'lower_bound': 'double', 'upper_bound': 'double',
    }) | indent(4) }}
)

select * from fitted
