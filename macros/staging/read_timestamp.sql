{#- Raw text as timestamp; null where it can't be read as one. -#}
{% macro read_timestamp(column) -%}
    {{ parse_instant(read_text(column)) }}
{%- endmacro %}
