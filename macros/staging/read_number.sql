{#- Raw text as number; null where it can't be read as one. Of '1,234.56' and '1.234,56' the last mark is the decimal one; '1,234' may be
    either and is none. -#}
{% macro read_number(column) -%}
    {%- set text = read_text(column) -%}
    coalesce(
        try_cast({{ text }} as decimal(18, 4)),
        case
            when regexp_full_match({{ text }}, '[+-]?\d{1,3}(,\d{3})+\.\d*|[+-]?\d{1,3}(,\d{3}){2,}')
                then try_cast(replace({{ text }}, ',', '') as decimal(18, 4))
            when regexp_full_match({{ text }}, '[+-]?\d{1,3}(\.\d{3})+,\d*|[+-]?\d{1,3}(\.\d{3}){2,}|[+-]?\d+,(\d{1,2}|\d{4,})')
                then try_cast(replace(replace({{ text }}, '.', ''), ',', '.') as decimal(18, 4))
        end
    )
{%- endmacro %}
