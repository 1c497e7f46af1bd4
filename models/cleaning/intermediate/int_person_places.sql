with texts as (
    select * from {{ ref('int_person_texts') }}
),

country_names as (
    select * from {{ ref('country_names') }}
),

city_spellings as (
    select * from {{ ref('int_city_spellings') }}
),

located as (
    select
        texts.record_id,
        {{ proper_case('texts.city') }} as city,
        texts.region,
        upper(texts.postcode) as postcode,
        country_names.country_code as country
    from texts
    left join country_names on country_names.variant = lower(texts.country)
),

-- What all records with this city and postcode, or this city, agree upon fills a gap.
city_countries as (
    select
        city,
        min(country) as country
    from located
    where city is not null
    group by city
    having count(distinct country) = 1 and count(*) > 1
),

postcode_cities as (
    select
        country,
        postcode,
        min(city) as city
    from located
    where postcode is not null
    group by country, postcode
    having count(distinct city) = 1 and count(*) > 1
),

placed as (
    select
        located.record_id,
        coalesce(city_spellings.corrected_city, located.city, postcode_cities.city) as city,
        located.region,
        located.postcode,
        coalesce(located.country, city_countries.country) as country,
        case
            when city_spellings.corrected_city is not null then 'city_typo'
            when located.city is null and postcode_cities.city is not null then 'from_postcode'
        end as city_correction,
        case when located.country is null and city_countries.country is not null then 'from_city' end as country_correction
    from located
    left join city_countries on city_countries.city = located.city
    left join postcode_cities
        on postcode_cities.country = located.country and postcode_cities.postcode = located.postcode
    left join city_spellings
        on
            city_spellings.country = located.country
            and city_spellings.postcode_area = coalesce(left(located.postcode, 2), '')
            and city_spellings.city = located.city
)

select * from placed
