{#- Raw text as date; null where it can't be read as one. -#}
{% macro read_date(column) -%}
    try_cast({{ read_text(column) }} as date)
{%- endmacro %}
