{#- Raw text as date; null where it can't be read as one. -#}
{% macro read_date(column) -%}
    {{ parse_instant(read_text(column)) }}::date
{%- endmacro %}
