{%- set tidied_only = ['address_line_2', 'company', 'job_title', 'national_id', 'loyalty_id'] -%}
with records as (
    select * from {{ ref('int_person_records') }}
),

texts as (
    select * from {{ ref('int_person_texts') }}
),

names as (
    select * from {{ ref('int_person_names') }}
),

contacts as (
    select * from {{ ref('int_person_contacts') }}
),

places as (
    select * from {{ ref('int_person_places') }}
),

streets as (
    select * from {{ ref('int_person_streets') }}
),

gender_words as (
    select * from {{ ref('gender_words') }}
),

birth_dates as (
    select * from {{ ref('int_person_birth_dates') }}
),

repaired as (
    select
        records.record_id,
        records.source,
        records.source_table,
        records.source_key,
        names.title,
        names.first_name,
        names.middle_name,
        names.last_name,
        names.suffix,
        -- Written anew, in its own notation, where a title was in it or it was all capitals.
        case
            when texts.first_name is not null or texts.last_name is not null then texts.full_name
            when {{ has_one_case('texts.full_name') }} or (names.title is distinct from texts.title) or names.suffix is not null
                then case
                    when texts.full_name like '%,%' then names.last_name || coalesce(', ' || names.first_name, '')
                    else concat_ws(' ', names.first_name, names.last_name)
                end
            else texts.full_name
        end as full_name,
        gender_words.gender,
        birth_dates.birth_date,
        contacts.email,
        contacts.phone,
        contacts.mobile,
        coalesce(streets.street, texts.street) as street,
        texts.street_number,
        places.city,
        places.region,
        places.postcode,
        places.country,
        {% for column in tidied_only %}
        texts.{{ column }},
        {% endfor %}
        lower(texts.language) as language,
        records.income,
        records.household_size,
        records.created_at,
        records.updated_at,
        records.has_consent,
        records.unsubscribed_at,
        { 'name': case
                when names.is_swapped then 'name_parts_swapped'
                when texts.first_name is null and texts.last_name is null then 'split_from_full_name'
            end,
            'email': contacts.email_correction, 'city': places.city_correction, 'country': places.country_correction,
            'birth_date': case when birth_dates.is_swapped then 'day_month_swapped' end } as corrections
    from records
    inner join texts using (record_id)
    inner join names using (record_id)
    inner join contacts using (record_id)
    inner join places using (record_id)
    inner join birth_dates using (record_id)
    left join streets using (record_id)
    left join gender_words on gender_words.variant = lower(replace(texts.gender, '.', ''))
)

select * from repaired
