with texts as (
    select * from {{ ref('int_person_texts') }}
),

known_typos as (
    select * from {{ ref('email_domain_typos') }}
),

providers as (
    select * from {{ ref('email_providers') }}
),

countries as (
    select * from {{ ref('countries') }}
),

counted as (
    select
        split_part(email, '@', 2) as domain,
        count(*) as n_records
    from (select {{ canonical_email('email') }} as email from texts)
    where {{ is_email('email') }}
    group by split_part(email, '@', 2)
),

-- A rare domain one letter from a much more frequent one, or from that of a known provider. Not when the rare one is a provider
-- of its own (yahoo.es, yahoo.se), nor when it ends in a country's code and the other is a company's.
look_alikes as (
    select
        rare.domain,
        arg_max(frequent.domain, (frequent.n_records, frequent.domain)) as corrected_domain
    from counted as rare
    inner join counted as frequent
        on
            frequent.n_records > rare.n_records
            and abs(length(frequent.domain) - length(rare.domain)) <= 1
            and {{ spelling_distance('rare.domain', 'frequent.domain') }} <= 1
    left join providers as rare_providers on rare_providers.domain = rare.domain
    left join providers as frequent_providers on frequent_providers.domain = frequent.domain
    left join countries on countries.country_code = upper(split_part(rare.domain, '.', -1))
    where
        rare_providers.domain is null
        and case
            when frequent_providers.domain is not null then frequent.n_records >= rare.n_records * {{ var('provider_typo_ratio') }}
            when countries.country_code is not null and not ends_with(frequent.domain, '.' || lower(countries.country_code)) then false
            else frequent.n_records >= rare.n_records * {{ var('email_domain_typo_ratio') }}
        end
    group by rare.domain
),

corrected as (
    select
        counted.domain,
        counted.n_records,
        coalesce(known_typos.domain, look_alikes.corrected_domain) as corrected_domain,
        case
            when known_typos.domain is not null then 'known_domain_typo'
            when look_alikes.domain is not null then 'rare_domain_look_alike'
        end as correction
    from counted
    left join known_typos on known_typos.typo_domain = counted.domain
    left join look_alikes on look_alikes.domain = counted.domain
)

select * from corrected
