with moves as (
    select * from {{ ref('int_segment_moves') }}
),

sizes as (
    select * from {{ ref('int_segment_sizes') }}
),

inputs as (
    select * from {{ ref('int_segment_inputs') }}
),

features as (
    select * from {{ ref('int_customer_features') }}
),

spread as (
    select
        clustering,
        as_of_date,
        feature,
        stddev_pop(scaled) as scaled_deviation
    from inputs
    group by clustering, as_of_date, feature
),

-- Which feature of those who moved changed most, in standard deviations.
changes as (
    select
        moves.clustering,
        moves.as_of_date,
        moves.from_segment,
        moves.to_segment,
        inputs.feature,
        round(avg(inputs.scaled - before.scaled) / nullif(any_value(spread.scaled_deviation), 0), 6) as change
    from moves
    inner join inputs on
        moves.clustering = inputs.clustering
        and moves.customer_id = inputs.customer_id
        and moves.as_of_date = inputs.as_of_date
    inner join inputs as before on
        moves.clustering = before.clustering
        and moves.customer_id = before.customer_id
        and moves.from_as_of_date = before.as_of_date
        and inputs.feature = before.feature
    inner join spread on
        moves.clustering = spread.clustering and moves.as_of_date = spread.as_of_date and inputs.feature = spread.feature
    where moves.from_segment != moves.to_segment
    group by moves.clustering, moves.as_of_date, moves.from_segment, moves.to_segment, inputs.feature
),

drivers as (
    select * from changes
    where change is not null
    qualify row_number() over (partition by clustering, as_of_date, from_segment, to_segment order by abs(change) desc, feature) = 1
),

counted as (
    select
        moves.clustering,
        moves.as_of_date,
        moves.from_as_of_date,
        moves.from_segment,
        moves.to_segment,
        count(*) as n_customers,
        sum(features.order_amount_365d) as revenue_amount
    from moves
    inner join features on moves.customer_id = features.customer_id and moves.as_of_date = features.as_of_date
    group by moves.clustering, moves.as_of_date, moves.from_as_of_date, moves.from_segment, moves.to_segment
),

named as (
    select
        counted.clustering,
        counted.as_of_date,
        counted.from_as_of_date,
        counted.from_segment,
        counted.to_segment,
        from_sizes.segment_name as from_segment_name,
        to_sizes.segment_name as to_segment_name,
        counted.n_customers,
        counted.revenue_amount,
        drivers.feature as driving_feature,
        drivers.change as driving_change
    from counted
    left join drivers on
        counted.clustering = drivers.clustering
        and counted.as_of_date = drivers.as_of_date
        and counted.from_segment = drivers.from_segment
        and counted.to_segment = drivers.to_segment
    left join sizes as from_sizes on
        counted.clustering = from_sizes.clustering
        and counted.from_as_of_date = from_sizes.as_of_date and counted.from_segment = from_sizes.segment
    inner join sizes as to_sizes on
        counted.clustering = to_sizes.clustering
        and counted.as_of_date = to_sizes.as_of_date
        and counted.to_segment = to_sizes.segment
)

select * from named
