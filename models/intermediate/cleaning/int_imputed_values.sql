with cells as (
    {{ imputation_cells(
        ref('int_person_records_repaired'), 'persons', 'record_id',
        ['gender', 'household_size', 'income', 'language'], ['first_name', 'country', 'language', 'gender', 'source'], source='source') }}
    union all
    {{ imputation_cells(ref('int_products_repaired'), 'products', 'source_key', ['category', 'unit_cost', 'list_price'], ['category', 'currency']) }}
    union all
    {{ imputation_cells(ref('int_orders_repaired'), 'orders', 'source_key', ['channel'], ['order_type', 'currency', 'status']) }}
    union all
    {{ imputation_cells(
        ref('int_tickets_repaired'), 'tickets', 'source_key', ['category', 'priority', 'channel', 'satisfaction'],
        ['category', 'channel', 'priority']) }}
),

policies as (
    select * from {{ ref('imputation_policies') }}
),

grouped as (
    select
        cells.table_name,
        cells.record_key,
        cells.source,
        cells.column_name,
        cells.value,
        try_cast(cells.value as decimal(18, 4)) as number_value,
        policies.policy,
        policies.constant,
        policies.group_by,
        case when policies.group_by is null then '' else cells.group_values[policies.group_by] end as group_value
    from cells
    inner join policies using (table_name, column_name)
),

statistics as (
    select
        table_name,
        column_name,
        group_value,
        case any_value(policy)
            when 'mean' then round(avg(number_value), 2)::varchar
            when 'median' then quantile_disc(number_value, 0.5)::varchar
            when 'minimum' then min(number_value)::varchar
            when 'maximum' then max(number_value)::varchar
            when 'mode' then mode(value order by value)
            when 'constant' then any_value(constant)
        end as imputed_value
    from grouped
    where value is not null or policy = 'constant'
    group by table_name, column_name, group_value
),

-- A source that never fills a column has no gaps in it: it does not keep it.
kept_columns as (
    select distinct
        table_name,
        source,
        column_name
    from grouped
    where value is not null or policy = 'constant'
),

imputed as (
    select
        grouped.table_name,
        grouped.record_key,
        grouped.column_name,
        statistics.imputed_value,
        concat_ws('_', 'imputed', grouped.policy, 'by_' || grouped.group_by) as rule
    from grouped
    inner join statistics using (table_name, column_name, group_value)
    inner join kept_columns using (table_name, source, column_name)
    where grouped.value is null and statistics.imputed_value is not null
)

select * from imputed
