{#- German, Swedish and Dutch glue the street word to the name: 'Hauptstr.', 'Haupt Str.'. Short forms need their dot, so that
    'Kristall' does not end in 'all.'; 'str' is never the end of another word. -#}
{% macro has_street_suffix() -%}
    (
        lower(street_parts.last_word) like '%' || street_words.variant || '.'
        or (street_words.variant like 'str%' and lower(street_parts.last_word) like '%' || street_words.variant)
    )
{%- endmacro %}


{% macro replace_street_suffix() -%}
    case
        when lower(rtrim(street_parts.last_word, '.')) = street_words.variant
            then upper(left(street_words.standard, 1)) || substr(street_words.standard, 2)
        else left(
            rtrim(street_parts.last_word, '.'), length(rtrim(street_parts.last_word, '.')) - length(street_words.variant)
        ) || street_words.standard
    end
{%- endmacro %}
