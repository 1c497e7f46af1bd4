{%- set supported = 'n_of_place > ' ~ var('place_min_records') ~ ' and share_of_others >= ' ~ var('place_min_share') -%}
with records as (
    select * from {{ ref('int_person_records_cleaned') }}
),

places as (
    select * from {{ ref('int_usual_places') }}
),

-- The longest beginning of the postcode that nearly always implies one city.
cities as (
    select
        records.record_id,
        arg_max(usual.says, length(usual.place_value)) as usual_city,
        max(length(usual.place_value)) as n_characters
    from records
    inner join places as usual
        on
            usual.country = records.country
            and usual.place in ('postcode_99', 'postcode_3', 'postcode_2')
            and usual.place_value = left(records.postcode, replace(usual.place, 'postcode_', '')::integer)
    where {{ supported }}
    group by records.record_id
),

judged as (
    select
        records.*,
        cities.usual_city,
        cities.n_characters,
        usual_countries.says as usual_country,
        coalesce(own_form.share_of_place, 0) as share_of_form,
        form_country.says as country_of_form,
        coalesce(known_form.share_of_place, 0) as share_in_usual_country,
        known_city.n_of_place as n_of_city
    from records
    left join cities using (record_id)
    left join places as usual_countries
        on
            usual_countries.place = 'city' and usual_countries.place_value = records.city
            and usual_countries.n_of_place > {{ var('place_min_records') }} and usual_countries.share_of_others >= {{ var('place_min_share') }}
    left join places as own_form
        on own_form.place = 'form' and own_form.country = records.country and own_form.says = {{ postcode_form('records.postcode') }}
    left join places as form_country
        on
            form_country.place = 'country_of_form' and form_country.place_value = {{ postcode_form('records.postcode') }}
            and form_country.n_of_place > {{ var('place_min_records') }} and form_country.share_of_others >= {{ var('place_min_share') }}
    left join places as known_form
        on
            known_form.place = 'form' and known_form.country = usual_countries.says
            and known_form.says = {{ postcode_form('records.postcode') }}
    left join places as known_city
        on known_city.place = 'city' and known_city.place_value = records.city and known_city.says = records.country
),

issues as (
    -- Whether city or postcode is wrong stays open, but a name that no other record of the country has is no city.
    select
        source_table,
        source_key,
        'city' as column_name,
        'city_against_postcode' as rule,
        city as value,
        'with postcode ' || left(postcode, n_characters) || ': ' || usual_city as expected,
        case when n_of_city = 1 then usual_city end as repair
    from judged
    where city != usual_city
    union all
    select
        source_table,
        source_key,
        'country' as column_name,
        'country_against_city' as rule,
        country as value,
        'with city ' || city || ': ' || usual_country as expected,
        usual_country as repair
    from judged
    where country != usual_country and (postcode is null or (share_in_usual_country >= 0.01 and share_of_form <= share_in_usual_country))
    union all
    -- Not where the country is wrong.
    select
        source_table,
        source_key,
        'postcode' as column_name,
        'postcode_against_country' as rule,
        postcode as value,
        'a form of postcode used in ' || country as expected,
        null as repair
    from judged
    where country_of_form != country and share_of_form < 0.01 and coalesce(usual_country, country) = country
)

select * from issues
