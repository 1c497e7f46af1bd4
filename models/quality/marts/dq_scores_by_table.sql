with scores as (
    select * from {{ ref('dq_scores') }}
),

weights as (
    select * from {{ ref('quality_weights') }}
),

-- Every column counts alike, however many of its values are filled; and only what both stages have can be compared. Decimals, so
-- that sums don't depend on the order of their terms.
of_columns as (
    select
        run_id,
        run_number,
        as_of_date,
        source_table,
        column_name,
        dimension,
        (max(score) filter (where stage = 'raw'))::decimal(12, 9) as raw_score,
        (max(score) filter (where stage = 'clean'))::decimal(12, 9) as clean_score
    from scores
    group by run_id, run_number, as_of_date, source_table, column_name, dimension
    having count(distinct stage) = 2
),

of_dimensions as (
    select
        run_id,
        run_number,
        as_of_date,
        source_table,
        dimension,
        avg(raw_score)::decimal(12, 9) as raw_score,
        avg(clean_score)::decimal(12, 9) as clean_score,
        count(*) as n_columns
    from of_columns
    group by run_id, run_number, as_of_date, source_table, dimension
),

weighted as (
    select
        of_dimensions.*,
        dimension_weights.weight::decimal(9, 4) as dimension_weight,
        coalesce(table_weights.weight, 1)::decimal(9, 4) as table_weight
    from of_dimensions
    inner join weights as dimension_weights on dimension_weights.weighs = 'dimension' and dimension_weights.name = of_dimensions.dimension
    left join weights as table_weights on table_weights.weighs = 'table' and table_weights.name = of_dimensions.source_table
),

tables as (
    select
        run_id,
        run_number,
        as_of_date,
        source_table,
        '(all)' as dimension,
        (sum(dimension_weight * raw_score) / sum(dimension_weight))::decimal(12, 9) as raw_score,
        (sum(dimension_weight * clean_score) / sum(dimension_weight))::decimal(12, 9) as clean_score,
        sum(n_columns) filter (where dimension_weight > 0) as n_columns,
        any_value(table_weight) as table_weight
    from weighted
    group by run_id, run_number, as_of_date, source_table
    having sum(dimension_weight) > 0
),

all_levels as (
    select * exclude (dimension_weight) from weighted
    union all
    select * from tables
),

rolled_up as (
    select * from all_levels
    union all
    select
        run_id,
        run_number,
        as_of_date,
        '(all)' as source_table,
        dimension,
        (sum(table_weight * raw_score) / sum(table_weight))::decimal(12, 9) as raw_score,
        (sum(table_weight * clean_score) / sum(table_weight))::decimal(12, 9) as clean_score,
        sum(n_columns) as n_columns,
        sum(table_weight) as table_weight
    from all_levels
    group by run_id, run_number, as_of_date, dimension
),

compared as (
    select
        * exclude (raw_score, clean_score, n_columns, table_weight),
        raw_score::double as raw_score,
        clean_score::double as clean_score,
        (clean_score - raw_score)::double as improvement,
        n_columns::bigint as n_columns,
        table_weight::double as weight
    from rolled_up
)

select * from compared
