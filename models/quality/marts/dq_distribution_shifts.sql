with bins as (
    select * from {{ ref('dq_distributions') }}
),

runs as (
    select
        run_id,
        run_number,
        as_of_date,
        row_number() over (order by as_of_date, run_number) as position
    from {{ ref('dq_runs') }}
),

placed as (
    select
        bins.*,
        runs.position
    from bins
    inner join runs using (run_id)
),

-- Each run is compared with the sum of those before it.
earlier as (
    select
        runs.run_id,
        placed.source_table,
        placed.column_name,
        placed.bin,
        sum(placed.n_rows) as n_rows
    from runs
    inner join placed on placed.position between runs.position - {{ var('quality_baseline_runs') }} and runs.position - 1
    group by all
),

beside as (
    select
        run_id,
        source_table,
        column_name,
        bin,
        coalesce(bins.n_rows, 0) as n_now,
        coalesce(earlier.n_rows, 0) as n_earlier
    from bins
    full outer join earlier using (run_id, source_table, column_name, bin)
),

-- Half a row is added to every bin, so that an empty one does not make the index infinite.
shares as (
    select
        *,
        (n_now + 0.5) / (sum(n_now) over of_column + 0.5 * count(*) over of_column) as share_now,
        (n_earlier + 0.5) / (sum(n_earlier) over of_column + 0.5 * count(*) over of_column) as share_earlier
    from beside
    window of_column as (partition by run_id, source_table, column_name)
),

summed as (
    select
        shares.run_id,
        runs.run_number,
        runs.as_of_date,
        shares.source_table,
        shares.column_name,
        sum(shares.n_now)::bigint as n_rows,
        count(*) as n_bins,
        sum((shares.share_now - shares.share_earlier) * ln(shares.share_now / shares.share_earlier)) as stability_index
    from shares
    inner join runs using (run_id)
    group by shares.run_id, runs.run_number, runs.as_of_date, shares.source_table, shares.column_name
    having sum(shares.n_now) > 0 and sum(shares.n_earlier) > 0
)

select * from summed
