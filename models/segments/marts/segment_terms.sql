with fitted as (
    select * from {{ ref('int_segment_terms') }}
),

terms as (
    select
        as_of_date,
        clustering,
        segment,
        segment_name,
        feature,
        centroid,
        center,
        scale,
        n_customers,
        k,
        silhouette,
        stability,
        status
    from fitted
)

select * from terms
