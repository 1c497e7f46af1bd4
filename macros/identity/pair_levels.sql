{#- The comparison of two records of int_match_attributes, `a` and `b`: one level per attribute, -1 where either side is unknown. -#}
{% macro pair_levels(a, b) -%}
    case
        when {{ a }}.first_name is null or {{ b }}.first_name is null then -1
        when {{ a }}.first_name = {{ b }}.first_name then 4
        when list_has_any({{ a }}.first_name_forms, {{ b }}.first_name_forms) then 3
        when {{ text_similarity(a ~ '.first_name', b ~ '.first_name') }} >= 0.9
            or (least(length({{ a }}.first_name), length({{ b }}.first_name)) = 1 and left({{ a }}.first_name, 1) = left({{ b }}.first_name, 1))
            then 2
        when {{ text_similarity(a ~ '.first_name', b ~ '.first_name') }} >= 0.78
            or ({{ a }}.first_name = {{ b }}.last_name and {{ a }}.last_name = {{ b }}.first_name)
            then 1
        else 0
    end as first_name,
    case
        when {{ a }}.last_name is null or {{ b }}.last_name is null then -1
        when {{ a }}.last_name = {{ b }}.last_name then 3
        when {{ text_similarity(a ~ '.last_name', b ~ '.last_name') }} >= 0.9 or list_has_any({{ a }}.last_name_words, {{ b }}.last_name_words) then 2
        when {{ text_similarity(a ~ '.last_name', b ~ '.last_name') }} >= 0.78
            or ({{ a }}.first_name = {{ b }}.last_name and {{ a }}.last_name = {{ b }}.first_name)
            then 1
        else 0
    end as last_name,
    case
        when {{ a }}.birth_date is null or {{ b }}.birth_date is null then -1
        when {{ a }}.birth_date = {{ b }}.birth_date then 3
        when damerau_levenshtein({{ a }}.birth_date, {{ b }}.birth_date) = 1 or {{ a }}.birth_date_swapped = {{ b }}.birth_date then 2
        when (left({{ a }}.birth_date, 4) = left({{ b }}.birth_date, 4))::int + (right({{ a }}.birth_date, 4) = right({{ b }}.birth_date, 4))::int
            + (damerau_levenshtein({{ a }}.birth_date, {{ b }}.birth_date) = 2)::int > 0 then 1
        else 0
    end as birth_date,
    case
        when {{ a }}.email is null or {{ b }}.email is null then -1
        when {{ a }}.email = {{ b }}.email then 3
        when {{ a }}.email_name = {{ b }}.email_name then 2
        when {{ text_similarity(a ~ '.email_name', b ~ '.email_name') }} >= 0.88 then 1
        else 0
    end as email,
    case
        when {{ a }}.phone_1 is null or {{ b }}.phone_1 is null then -1
        when {{ a }}.phone_1 in ({{ b }}.phone_1, {{ b }}.phone_2) or {{ a }}.phone_2 in ({{ b }}.phone_1, {{ b }}.phone_2) then 2
        when damerau_levenshtein({{ a }}.phone_1, {{ b }}.phone_1) <= 1 then 1
        else 0
    end as phone,
    case
        when {{ a }}.street is null or {{ b }}.street is null then -1
        when {{ a }}.street = {{ b }}.street then 3
        when {{ text_similarity(a ~ '.street_name', b ~ '.street_name') }} >= 0.88
            then case when {{ a }}.house_number = {{ b }}.house_number then 2 else 1 end
        else 0
    end as street,
    case
        when ({{ a }}.city is null or {{ b }}.city is null) and ({{ a }}.postcode is null or {{ b }}.postcode is null) then -1
        when {{ a }}.postcode = {{ b }}.postcode and coalesce({{ text_similarity(a ~ '.city', b ~ '.city') }} >= 0.88, true) then 3
        when {{ a }}.postcode = {{ b }}.postcode or {{ a }}.city = {{ b }}.city then 2
        when {{ text_similarity(a ~ '.city', b ~ '.city') }} >= 0.8 or damerau_levenshtein({{ a }}.postcode, {{ b }}.postcode) = 1 then 1
        else 0
    end as place,
    case
        when {{ a }}.company is null or {{ b }}.company is null then -1
        when {{ a }}.company = {{ b }}.company then 2
        when {{ text_similarity(a ~ '.company', b ~ '.company') }} >= 0.9 then 1
        else 0
    end as company,
    case
        when {{ a }}.identity_number is null or {{ b }}.identity_number is null then -1
        when {{ a }}.identity_number = {{ b }}.identity_number then 2
        when damerau_levenshtein({{ a }}.identity_number, {{ b }}.identity_number) <= 1 then 1
        else 0
    end as identity_number
{%- endmacro %}
