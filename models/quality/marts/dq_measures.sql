with profiles as (
    select * from {{ ref('dq_profiles') }}
),

shifts as (
    select * from {{ ref('dq_distribution_shifts') }}
),

runs as (
    select
        run_id,
        as_of_date,
        row_number() over (order by as_of_date, run_number) as position
    from {{ ref('dq_runs') }}
),

tables as (
    select distinct
        run_id,
        source_table,
        n_rows,
        n_rows_total,
        freshness_days
    from profiles
),

grown as (
    select
        tables.*,
        ln((n_rows_total + 1) / (1 + lag(n_rows_total) over (partition by source_table order by runs.position))) as growth
    from tables
    inner join runs using (run_id)
),

-- `compared` is the value on the scale of comparison: counts by their logarithm, so that half and double count alike.
measured as (
    select
        run_id,
        source_table,
        '(row)' as column_name,
        unnest([
            { 'measure': 'row_count', 'value': n_rows::double, 'compared': ln(n_rows + 1), 'n_rows': n_rows },
            { 'measure': 'total_rows', 'value': n_rows_total::double, 'compared': growth, 'n_rows': n_rows_total },
            { 'measure': 'freshness_days', 'value': freshness_days::double, 'compared': freshness_days::double, 'n_rows': n_rows_total }
        ], recursive := true)
    from grown
    union all
    select
        run_id,
        source_table,
        column_name,
        unnest([
            { 'measure': 'null_share', 'value': null_share, 'compared': null_share, 'n_rows': n_rows },
            {
                'measure': 'distinct_share', 'value': n_distinct / nullif(n_filled, 0),
                'compared': n_distinct / nullif(n_filled, 0), 'n_rows': n_filled
            }
        ], recursive := true)
    from profiles
    union all
    select
        run_id,
        source_table,
        column_name,
        'stability_index' as measure,
        stability_index as value,
        stability_index as compared,
        n_rows
    from shifts
),

placed as (
    select
        measured.*,
        runs.as_of_date,
        median(measured.compared) over earlier as usual,
        {{ median_deviation('measured.compared') }} over earlier as deviation,
        median(measured.value) over earlier as usual_value,
        median(measured.n_rows) over earlier as usual_n_rows,
        count(*) over earlier as n_earlier_runs
    from measured
    inner join runs using (run_id)
    where measured.compared is not null
    window earlier as (
        partition by measured.source_table, measured.column_name, measured.measure
        order by runs.position rows between {{ var('quality_baseline_runs') }} preceding and 1 preceding
    )
),

compared as (
    select
        * exclude (compared, usual, deviation, usual_n_rows),
        (compared - usual) / greatest(1.4826 * deviation, {{ least_spread('measure', 'usual', 'usual_n_rows') }}) as deviations,
        n_earlier_runs >= {{ var('quality_min_runs') }}
        and usual_n_rows >= {{ var('quality_min_rows') }}
        and (n_rows >= {{ var('quality_min_rows') }} or measure in ('row_count', 'total_rows', 'freshness_days')) as is_judged
    from placed
)

select * from compared
