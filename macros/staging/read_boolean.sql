{#- Raw text as boolean; null where it can't be read as one. -#}
{% macro read_boolean(column) -%}
    try_cast({{ read_text(column) }} as boolean)
{%- endmacro %}
