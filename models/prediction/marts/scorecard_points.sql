with fitted as (
    {{ fit_rows('point', {
        'feature': 'varchar', 'attribute': 'varchar', 'term': 'varchar', 'points': 'bigint', 'coefficient': 'double',
        'share_of_customers': 'double',
    }) | indent(4) }}
)

select * from fitted
