with measures as (
    select * from {{ ref('dq_measures') }}
),

-- Counted in one direction only: total_rows when rows are missing; gaps, age and a shifted mix when there is more of them.
unusual as (
    select
        run_id,
        as_of_date,
        source_table,
        column_name,
        measure,
        value,
        usual_value,
        deviations,
        case when measure in ('row_count', 'total_rows') then 'volume' else measure end as cause,
        case when measure in ('row_count', 'total_rows') then if(deviations < 0, 'rows missing', 'rows in excess') else '' end as direction
    from measures
    where
        is_judged
        and case
            when measure = 'total_rows' then deviations <= -{{ var('quality_alarm_spreads') }}
            when measure in ('null_share', 'freshness_days', 'stability_index') then deviations >= {{ var('quality_alarm_spreads') }}
            else abs(deviations) >= {{ var('quality_alarm_spreads') }}
        end
),

-- One cause shows in many measures. What missing rows or a column without values explain is not repeated.
unexplained as (
    select unusual.*
    from unusual
    where
        unusual.measure in ('row_count', 'total_rows')
        or not exists (
            select 1 from unusual as causes
            where
                causes.run_id = unusual.run_id
                and causes.source_table = unusual.source_table
                and (
                    (causes.cause = 'volume' and unusual.cause != 'null_share')
                    or (causes.column_name = unusual.column_name and causes.cause = 'null_share' and unusual.cause != 'null_share')
                    or (causes.cause = 'stability_index' and unusual.cause = 'distinct_share')
                )
        )
),

-- An incomplete delivery shows in several tables, a shifted mix in several columns of one table.
grouped as (
    select
        run_id,
        as_of_date,
        cause,
        direction,
        case when cause != 'volume' then source_table end as cause_table,
        arg_max(source_table, (abs(deviations), source_table, column_name, measure)) as source_table,
        arg_max(column_name, (abs(deviations), source_table, column_name, measure)) as column_name,
        arg_max(measure, (abs(deviations), source_table, column_name, measure)) as measure,
        arg_max(value, (abs(deviations), source_table, column_name, measure)) as value,
        arg_max(usual_value, (abs(deviations), source_table, column_name, measure)) as usual_value,
        arg_max(deviations, (abs(deviations), source_table, column_name, measure)) as deviations,
        count(*) as n_signs,
        string_agg(distinct source_table || '.' || column_name, ', ' order by source_table || '.' || column_name) as signs
    from unexplained
    group by all
),

named as (
    select
        concat_ws('|', run_id, cause, direction, cause_table) as anomaly_id,
        run_id,
        as_of_date,
        source_table,
        column_name,
        measure,
        value,
        usual_value,
        deviations,
        n_signs,
        signs
    from grouped
)

select * from named
