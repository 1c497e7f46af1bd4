with rates as (
    select * from {{ ref('exchange_rates') }}
),

-- The first rate of a currency also holds for earlier days, the last one for later.
periods as (
    select
        currency,
        case when row_number() over (partition by currency order by valid_from) = 1 then '-infinity'::date else valid_from end as valid_from,
        coalesce(lead(valid_from) over (partition by currency order by valid_from), 'infinity'::date) as valid_to,
        rate_to_eur
    from rates
),

converted as (
    select
        periods.currency,
        greatest(periods.valid_from, targets.valid_from) as valid_from,
        least(periods.valid_to, targets.valid_to) as valid_to,
        (periods.rate_to_eur / targets.rate_to_eur)::decimal(18, 8) as rate
    from periods
    inner join periods as targets
        on
            targets.currency = '{{ var("warehouse_currency") }}'
            and periods.valid_from < targets.valid_to
            and targets.valid_from < periods.valid_to
)

select * from converted
