with terms as (
    select * from {{ ref('segment_terms') }}
),

chosen as (
    select
        clustering,
        as_of_date,
        count(distinct segment) as n_segments
    from terms
    where feature != ''
    group by clustering, as_of_date
),

curves as (
    select
        terms.as_of_date,
        terms.clustering,
        terms.k,
        terms.silhouette,
        terms.stability,
        terms.stability >= {{ var('segment_min_stability') }} as is_stable,
        terms.k = chosen.n_segments as is_chosen,
        terms.status
    from terms
    inner join chosen on terms.clustering = chosen.clustering and terms.as_of_date = chosen.as_of_date
    where terms.feature = ''
)

select * from curves
