with texts as (
    select * from {{ ref('int_person_texts') }}
),

places as (
    select * from {{ ref('int_person_places') }}
),

phones as (
    select * from {{ ref('int_phones_parsed') }}
),

domains as (
    select * from {{ ref('int_email_domains') }}
),

written as (
    select
        texts.record_id,
        {{ canonical_email('texts.email') }} as email,
        texts.phone,
        texts.mobile,
        coalesce(places.country, 'ZZ') as country
    from texts
    inner join places using (record_id)
),

contacts as (
    select
        written.record_id,
        case
            when {{ is_email('written.email') }} and length(split_part(coalesce(domains.corrected_domain, domains.domain), '.', -1)) > 1
                then split_part(written.email, '@', 1) || '@' || coalesce(domains.corrected_domain, domains.domain)
        end as email,
        domains.correction as email_correction,
        phones.e164 as phone,
        mobiles.e164 as mobile
    from written
    left join domains on domains.domain = split_part(written.email, '@', 2)
    left join phones on phones.phone_text = written.phone and phones.country = written.country
    left join phones as mobiles on mobiles.phone_text = written.mobile and mobiles.country = written.country
)

select * from contacts
