with records as (
    select
        country,
        city,
        postcode,
        {{ postcode_form('postcode') }} as postcode_form
    from {{ ref('int_person_records_cleaned') }}
    where country is not null
),

-- What a place says about another column: a postcode, or its first characters, about the city, a city and the form of a postcode
-- about the country.
said as (
    {% for length in [99, 3, 2] %}
    select
        'postcode_{{ length }}' as place,
        country,
        left(postcode, {{ length }}) as place_value,
        city as says
    from records
    where length(postcode) >= {{ length if length < 99 else 1 }} and city is not null
    union all
    {% endfor %}
    select
        'city' as place,
        '' as country,
        city as place_value,
        country as says
    from records
    where city is not null
    union all
    select
        'form' as place,
        country,
        '' as place_value,
        postcode_form as says
    from records
    where postcode is not null
    union all
    select
        'country_of_form' as place,
        '' as country,
        postcode_form as place_value,
        country as says
    from records
    where postcode is not null
),

counted as (
    select
        place,
        country,
        place_value,
        says,
        count(*) as n_records
    from said
    group by place, country, place_value, says
),

shared as (
    select
        *,
        sum(n_records) over (partition by place, country, place_value) as n_of_place,
        n_records / sum(n_records) over (partition by place, country, place_value) as share_of_place,
        -- For a record that says something else: what the others say.
        least(n_records / greatest(sum(n_records) over (partition by place, country, place_value) - 1, 1), 1) as share_of_others
    from counted
)

select * from shared
