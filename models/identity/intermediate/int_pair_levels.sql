with attributes as (
    select * from {{ ref('int_match_attributes') }}
),

pairs as (
    select * from {{ ref('int_candidate_pairs') }}
),

compared as (
    select
        pairs.number_a,
        pairs.number_b,
        pairs.n_rules,
        pairs.first_rule,
        pairs.is_decided,
        a.is_in_crowd and b.is_in_crowd as is_crowd,
        {{ pair_levels('a', 'b') }},
        a.first_name_share,
        a.last_name_share,
        a.email_share,
        least(a.phone_share, b.phone_share) as phone_share,
        a.street_share,
        case when a.postcode = b.postcode then a.postcode_share when a.city = b.city then a.city_share end as place_share,
        a.company_share
    from pairs
    inner join attributes as a on a.record_number = pairs.number_a
    inner join attributes as b on b.record_number = pairs.number_b
)

select * from compared
