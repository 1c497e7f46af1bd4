with records as (
    select * from {{ ref('int_person_records_cleaned') }}
),

nicknames as (
    select * from {{ ref('nicknames') }}
),

-- Where the house number has no column of its own, it is the first or last word of the street that begins with a digit.
compared as (
    select
        row_number() over (order by record_id)::integer as record_number,
        record_id,
        {{ match_text('first_name') }} as first_name,
        {{ match_text('last_name') }} as last_name,
        strftime(birth_date, '%Y%m%d') as birth_date,
        strftime(birth_date, '%Y%d%m') as birth_date_swapped,
        email,
        nullif(regexp_replace(split_part(email, '@', 1), '\+.*$', ''), '') as email_name,
        least(mobile, phone) as phone_1,
        nullif(greatest(mobile, phone), phone_1) as phone_2,
        {{ match_text("regexp_replace(street, '^\\d\\S*\\s+|\\s+\\d\\S*$', '', 'g')") }} as street_name,
        lower(coalesce(street_number, nullif(regexp_extract(street, '(^\d\S*)\s|\s(\d\S*)$', 0), ''))) as house_number_text,
        {{ match_text('city') }} as city,
        upper(replace(postcode, ' ', '')) as postcode,
        {{ match_text('company') }} as company,
        coalesce(national_id, loyalty_id) as identity_number
    from records
),

formed as (
    select
        lower(name) as name,
        list(canonical order by canonical) as forms
    from nicknames
    group by lower(name)
),

enriched as (
    select
        compared.* exclude (house_number_text),
        trim(compared.house_number_text) as house_number,
        compared.street_name || ' ' || coalesce(trim(compared.house_number_text), '') as street,
        coalesce(formed.forms, [compared.first_name]) as first_name_forms,
        list_filter(string_split(coalesce(compared.last_name, ''), ' '), word -> length(word) > 2) as last_name_words
    from compared
    left join formed on formed.name = compared.first_name
),

all_phones as (
    select
        record_number,
        unnest([phone_1, phone_2]) as phone
    from enriched
    where phone_1 is not null
),

shared_phones as (
    select
        record_number,
        {{ value_share('phone') }} as phone_share,
        count(phone) over (partition by phone) as n_records
    from all_phones
),

phone_shares as (
    select
        record_number,
        max(phone_share) as phone_share,
        max(n_records) as n_records
    from shared_phones
    group by record_number
),

weighed as (
    select
        enriched.*,
        {{ value_share('first_name') }} as first_name_share,
        {{ value_share('last_name') }} as last_name_share,
        {{ value_share('email') }} as email_share,
        phone_shares.phone_share,
        {{ value_share('street') }} as street_share,
        {{ value_share('postcode') }} as postcode_share,
        {{ value_share('city') }} as city_share,
        {{ value_share('company') }} as company_share,
        greatest(
            phone_shares.n_records,
            count(email) over (partition by email),
            count(street) over (partition by street, coalesce(postcode, city))
        ) > {{ var('max_household_records') }} as is_in_crowd
    from enriched
    left join phone_shares using (record_number)
)

select * from weighed
