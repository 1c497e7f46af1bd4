with sizes as (
    select * from {{ ref('int_segment_sizes') }}
),

inputs as (
    select * from {{ ref('int_segment_inputs') }}
),

members as (
    select * from {{ ref('int_segment_members') }}
),

-- Every feature describes every clustering, so one sees how the buyers of a category buy, too.
by_segment as (
    select
        members.clustering,
        members.as_of_date,
        members.segment,
        inputs.clustering as feature_of,
        inputs.feature,
        round(avg(inputs.value), 6) as mean,
        round(median(inputs.value), 6) as median,
        avg(inputs.scaled) as scaled_mean
    from members
    inner join inputs on members.customer_id = inputs.customer_id and members.as_of_date = inputs.as_of_date
    group by all
),

of_all as (
    select
        as_of_date,
        clustering as feature_of,
        feature,
        avg(scaled) as scaled_mean,
        stddev_pop(scaled) as scaled_deviation
    from inputs
    group by as_of_date, clustering, feature
),

profiles as (
    select
        by_segment.as_of_date,
        by_segment.clustering,
        by_segment.segment,
        sizes.segment_name,
        by_segment.feature,
        by_segment.feature_of,
        by_segment.mean,
        by_segment.median,
        coalesce(round((by_segment.scaled_mean - of_all.scaled_mean) / nullif(of_all.scaled_deviation, 0), 6), 0) as z,
        sizes.n_customers,
        sizes.customer_share,
        sizes.revenue_amount,
        sizes.revenue_share,
        sizes.status
    from by_segment
    inner join of_all on
        by_segment.as_of_date = of_all.as_of_date
        and by_segment.feature_of = of_all.feature_of
        and by_segment.feature = of_all.feature
    inner join sizes on
        by_segment.clustering = sizes.clustering
        and by_segment.as_of_date = sizes.as_of_date
        and by_segment.segment = sizes.segment
)

select * from profiles
