{#- A value as text; the name lets a macro be chosen by column type. -#}
{% macro cast_to_text(column) -%}
    ({{ column }})::varchar
{%- endmacro %}
