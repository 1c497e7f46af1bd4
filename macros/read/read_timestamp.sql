{#- Raw text as timestamp; null where it can't be read as one. -#}
{% macro read_timestamp(column) -%}
    try_cast({{ read_text(column) }} as timestamp)
{%- endmacro %}
