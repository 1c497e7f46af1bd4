with members as (
    select * from {{ ref('int_segment_members') }}
),

terms as (
    select * from {{ ref('int_segment_terms') }}
),

features as (
    select * from {{ ref('int_customer_features') }}
),

names as (
    select distinct
        clustering,
        as_of_date,
        segment,
        segment_name,
        status
    from terms
    where feature != ''
),

counted as (
    select
        members.clustering,
        members.as_of_date,
        members.segment,
        members.fitted_as_of_date,
        count(*) as n_customers,
        sum(features.order_amount_365d) as revenue_amount
    from members
    inner join features on members.customer_id = features.customer_id and members.as_of_date = features.as_of_date
    group by members.clustering, members.as_of_date, members.segment, members.fitted_as_of_date
),

shares as (
    select
        counted.clustering,
        counted.as_of_date,
        counted.segment,
        names.segment_name,
        names.status,
        counted.n_customers,
        counted.revenue_amount,
        counted.n_customers / sum(counted.n_customers) over clustering_date as customer_share,
        (counted.revenue_amount / nullif(sum(counted.revenue_amount) over clustering_date, 0))::double as revenue_share
    from counted
    inner join names on
        counted.clustering = names.clustering
        and counted.fitted_as_of_date = names.as_of_date
        and counted.segment = names.segment
    window clustering_date as (partition by counted.clustering, counted.as_of_date)
)

select * from shares
