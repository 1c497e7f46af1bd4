with pairs as (
    select * from {{ ref('identity_pairs') }}
),

clusters as (
    select * from {{ ref('int_customer_clusters') }}
),

decided as (
    select
        least(record_a, record_b) as record_a,
        greatest(record_a, record_b) as record_b
    from {{ ref('identity_overrides') }}
),

limits as (
    select max(match_threshold) as match_threshold
    from clusters
),

-- A decision is most informative where the odds are even and where it joins or separates the most records.
open_pairs as (
    select
        pairs.record_a,
        pairs.record_b,
        pairs.match_probability,
        pairs.match_weight,
        pairs.is_same_customer,
        clusters_a.n_records + case when pairs.is_same_customer then 0 else clusters_b.n_records end as n_records_at_stake,
        1 - 2 * abs(pairs.match_probability - 0.5) as uncertainty
    from pairs
    inner join clusters as clusters_a on clusters_a.record_id = pairs.record_a
    inner join clusters as clusters_b on clusters_b.record_id = pairs.record_b
    cross join limits
    left join decided using (record_a, record_b)
    where
        decided.record_a is null
        and pairs.match_probability >= {{ var('review_threshold') }}
        and (pairs.match_probability < limits.match_threshold or not pairs.is_same_customer)
),

ranked as (
    select
        row_number() over (
            order by uncertainty * ln(1 + n_records_at_stake) desc, record_a asc, record_b asc
        ) as review_rank,
        *
    from open_pairs
)

select * from ranked
