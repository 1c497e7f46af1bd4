{#- Raw text as number; null where it can't be read as one. -#}
{% macro read_number(column) -%}
    try_cast({{ read_text(column) }} as decimal(18, 4))
{%- endmacro %}
