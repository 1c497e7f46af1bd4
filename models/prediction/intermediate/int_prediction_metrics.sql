with fitted as (
    {{ fit_rows('metric', {
        'model': 'varchar', 'split': 'varchar', 'fold': 'bigint', 'metric': 'varchar', 'value': 'double',
        'interval_low': 'double', 'interval_high': 'double', 'baseline': 'double',
    }) | indent(4) }}
),

latest as (
    select * exclude (fitted_as_of_date) from fitted
    where fitted_as_of_date = (select max(fitted_as_of_date) from {{ ref('int_prediction_fits') }})
)

select * from latest
