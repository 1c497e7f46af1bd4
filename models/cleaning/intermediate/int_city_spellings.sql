with texts as (
    select * from {{ ref('int_person_texts') }}
),

country_names as (
    select * from {{ ref('country_names') }}
),

written as (
    select
        country_names.country_code as country,
        coalesce(upper(left(texts.postcode, 2)), '') as postcode_area,
        {{ proper_case('texts.city') }} as city
    from texts
    inner join country_names on country_names.variant = lower(texts.country)
    where texts.city is not null
),

counted as (
    select
        country,
        postcode_area,
        city,
        count(*) as n_records
    from written
    group by country, postcode_area, city
),

-- What a spelling is compared with: the cities of its postcode area or, where no postcode is known, of the whole country.
known as (
    select country, postcode_area, city, n_records, {{ var('city_typo_ratio') }} as needed_ratio
    from counted
    where postcode_area != ''
    union all
    select country, '' as postcode_area, city, sum(n_records) as n_records, {{ var('city_typo_ratio_without_postcode') }} as needed_ratio
    from counted
    group by country, city
),

misspelt as (
    select
        rare.country,
        rare.postcode_area,
        rare.city,
        arg_max(frequent.city, (frequent.n_records, frequent.city)) as corrected_city
    from counted as rare
    inner join known as own
        on own.country = rare.country and own.postcode_area = rare.postcode_area and own.city = rare.city
    inner join known as frequent
        on
            frequent.country = rare.country
            and frequent.postcode_area = rare.postcode_area
            and frequent.n_records >= own.n_records * frequent.needed_ratio
            and abs(length(frequent.city) - length(rare.city)) <= 1
            and {{ spelling_distance('rare.city', 'frequent.city') }} <= 1
    group by rare.country, rare.postcode_area, rare.city
)

select * from misspelt
