with fitted as (
    {{ fit_rows('segment', {
        'term': 'varchar', 'feature': 'varchar', 'family': 'varchar', 'kind': 'varchar', 'level': 'varchar', 'lower': 'double',
        'upper': 'double', 'start': 'double', 'slope': 'double', 'power': 'double', 'position': 'bigint',
    }) | indent(4) }}
)

select * from fitted
