with clusters as (
    select * from {{ ref('int_customer_clusters') }}
),

records as (
    select * from {{ ref('int_person_records_cleaned') }}
),

scores as (
    select * from {{ ref('int_pair_scores') }}
),

-- The pairs within a customer, seen from either record; the strongest one ties a record to the rest.
ties as (
    select
        scores.record_a as record_id,
        scores.record_b as other_record_id,
        scores.first_rule,
        scores.match_weight,
        scores.match_probability
    from scores
    union all
    select
        scores.record_b as record_id,
        scores.record_a as other_record_id,
        scores.first_rule,
        scores.match_weight,
        scores.match_probability
    from scores
),

strongest as (
    select
        ties.record_id,
        max(ties.match_weight) as match_weight,
        max(ties.match_probability) as match_probability,
        arg_max(ties.other_record_id, (ties.match_weight, ties.other_record_id)) as matched_record_id,
        arg_max(ties.first_rule, (ties.match_weight, ties.other_record_id)) as first_rule
    from ties
    inner join clusters on clusters.record_id = ties.record_id
    inner join clusters as other_clusters
        on other_clusters.record_id = ties.other_record_id and other_clusters.customer_id = clusters.customer_id
    group by ties.record_id
),

resolved as (
    select
        records.record_id,
        records.source,
        records.source_table,
        records.source_key,
        clusters.customer_id,
        case when clusters.n_records = 1 then 'only_record' else coalesce(strongest.first_rule, 'override') end as match_rule,
        strongest.match_weight,
        strongest.match_probability,
        strongest.matched_record_id
    from records
    inner join clusters using (record_id)
    left join strongest using (record_id)
)

select * from resolved
