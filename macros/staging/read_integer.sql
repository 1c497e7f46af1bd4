{#- Raw text as integer; null where it can't be read as one. -#}
{% macro read_integer(column) -%}
    try_cast({{ read_text(column) }} as bigint)
{%- endmacro %}
