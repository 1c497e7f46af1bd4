with texts as (
    select * from {{ ref('int_person_texts') }}
),

places as (
    select * from {{ ref('int_person_places') }}
),

street_words as (
    select * from {{ ref('street_words') }}
),

-- The word that says what kind of street it is stands first, last or glued to the name; the house number is before or behind.
street_parts as (
    select
        texts.record_id,
        places.country,
        texts.street,
        regexp_extract(texts.street, '^(\d\S*\s+)', 1) as leading_number,
        regexp_extract(substr(texts.street, length(leading_number) + 1), '^(\S+)\s', 1) as first_word,
        regexp_extract(texts.street, '(\S+?)(\s+\d\S*)?$', 1) as last_word,
        regexp_extract(texts.street, '(\s+\d\S*)$', 1) as number_part,
        left(texts.street, length(texts.street) - length(last_word) - length(number_part)) as stem
    from texts
    inner join places using (record_id)
    where texts.street is not null
),

-- Of several that fit, the longest one: 'strasse' before 'str'.
standardised as (
    select
        street_parts.record_id,
        arg_max(
            case street_words.place
                when 'first' then street_parts.leading_number || street_words.standard
                    || substr(street_parts.street, length(street_parts.leading_number || street_parts.first_word) + 1)
                when 'last' then street_parts.stem || street_words.standard || street_parts.number_part
                else street_parts.stem || {{ replace_street_suffix() }} || street_parts.number_part
            end,
            (length(street_words.variant), street_words.place)
        ) as street
    from street_parts
    inner join street_words
        on
            street_words.country_code = street_parts.country
            and case street_words.place
                when 'first' then lower(replace(street_parts.first_word, '.', '')) in (street_words.variant, lower(street_words.standard))
                when 'last' then lower(rtrim(street_parts.last_word, '.')) = street_words.variant and street_parts.stem != ''
                else {{ has_street_suffix() }}
            end
    group by street_parts.record_id
)

select * from standardised
