with attributes as (
    select * from {{ ref('int_match_attributes') }}
),

pairs as (
    select * from {{ ref('int_candidate_pairs') }}
),

compared as (
    select
        pairs.record_a,
        pairs.record_b,
        pairs.n_rules,
        {{ pair_levels('a', 'b') }},
        a.first_name_share,
        a.last_name_share,
        a.email_share,
        least(a.phone_share, b.phone_share) as phone_share,
        a.street_share,
        case when a.postcode = b.postcode then a.postcode_share when a.city = b.city then a.city_share end as place_share,
        a.company_share
    from pairs
    inner join attributes as a on a.record_id = pairs.record_a
    inner join attributes as b on b.record_id = pairs.record_b
)

select * from compared
