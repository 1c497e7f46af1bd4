{%- set last_words -%}
    ((?i:\b(?:von|van|de|del|della|di|da|du|la|le|den|der|zu|ter)\s+)*\S+(?:\s+(?i:jr|sr|ii|iii|phd|md)\.?)?)$
{%- endset -%}
with texts as (
    select * from {{ ref('int_person_texts') }}
),

-- 'Last, First' and 'First Last' in one field are split where the parts are missing; 'van der', 'de la' belong to the last name.
split as (
    select
        record_id,
        title,
        middle_name,
        case
            when first_name is not null or last_name is not null or full_name is null then first_name
            when full_name like '%,%' then nullif(trim(split_part(full_name, ',', 2)), '')
            else nullif(trim(regexp_replace(full_name, '{{ last_words }}', '')), '')
        end as first_name,
        case
            when first_name is not null or last_name is not null or full_name is null then last_name
            when full_name like '%,%' then nullif(trim(split_part(full_name, ',', 1)), '')
            else regexp_extract(full_name, '{{ last_words }}', 1)
        end as last_name
    from texts
)

select * from split
