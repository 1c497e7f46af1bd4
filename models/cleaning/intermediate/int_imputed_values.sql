with records as (
    select * from {{ ref('int_imputation_records') }}
),

declared as (
    select * from {{ ref('imputation_policies') }}
),

policies as (
    select distinct
        choices.table_name,
        choices.column_name,
        choices.policy,
        choices.group_by,
        choices.is_auto,
        declared.constant
    from {{ ref('int_imputation_choices') }} as choices
    inner join declared using (table_name, column_name)
    where choices.is_chosen
),

predicted as (
    select * from {{ ref('int_predicted_values') }}
),

cells as (
    select
        records.table_name,
        records.record_key,
        records.source,
        policies.* exclude (table_name),
        coalesce(records.texts[policies.column_name], records.numbers[policies.column_name]::varchar) as value,
        records.numbers[policies.column_name] as number_value,
        case when policies.group_by is null then '' else records.texts[policies.group_by] end as group_value
    from records
    inner join policies using (table_name)
),

-- The value of each group and, as `is_overall`, that of all rows.
statistics as (
    select
        table_name,
        column_name,
        group_value,
        grouping(group_value) = 1 as is_overall,
        case any_value(policy)
            when 'mean' then round(avg(number_value), 2)::varchar
            when 'median' then quantile_disc(number_value, 0.5)::varchar
            when 'minimum' then min(number_value)::varchar
            when 'maximum' then max(number_value)::varchar
            when 'mode' then mode(value order by value)
            when 'constant' then coalesce(any_value(constant), case when max(number_value) is null then 'unknown' else '0' end)
        end as imputed_value
    from cells
    where value is not null or policy = 'constant'
    group by grouping sets ((table_name, column_name, group_value), (table_name, column_name))
),

-- A source that never fills a column does not keep it, so it has no gaps there.
kept_columns as (
    select distinct
        table_name,
        source,
        column_name
    from cells
    where value is not null or policy = 'constant'
),

-- A measured policy falls back to the value of all rows where the group has none; a fixed one leaves the gap.
imputed as (
    select
        cells.table_name,
        cells.record_key,
        cells.column_name,
        coalesce(predicted.imputed_value, statistics.imputed_value, overall.imputed_value) as imputed_value,
        concat_ws('_', 'imputed', cells.policy, case when statistics.imputed_value is not null then 'by_' || cells.group_by end) as rule
    from cells
    inner join kept_columns using (table_name, source, column_name)
    left join predicted using (table_name, record_key, column_name)
    left join statistics
        on
            statistics.table_name = cells.table_name and statistics.column_name = cells.column_name
            and statistics.group_value = cells.group_value and not statistics.is_overall
    left join statistics as overall
        on overall.table_name = cells.table_name and overall.column_name = cells.column_name and overall.is_overall and cells.is_auto
    where
        cells.value is null
        and coalesce(predicted.imputed_value, statistics.imputed_value, overall.imputed_value) is not null
)

select * from imputed
