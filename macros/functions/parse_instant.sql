{#- Text as timestamp by any notation that can be read in one way only; 03/04/2024 is none. Engines differ in how they name formats. -#}
{% macro parse_instant(text) -%}
    coalesce(
        try_cast({{ text }} as timestamp),
        try_strptime({{ text }}, [
            '%d.%m.%Y', '%d.%m.%Y %H:%M', '%d.%m.%Y %H:%M:%S', '%Y.%m.%d', '%Y%m%d', '%Y%m%dT%H%M%S', '%d %B %Y', '%d %b %Y', '%d-%b-%Y', '%B %d, %Y'
        ])
    )
{%- endmacro %}
