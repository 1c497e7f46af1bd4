{#- A text as SQL literal: data never becomes code. -#}
{% macro sql_literal(value) -%}
    {{ return("'" ~ (value | string).replace("'", "''") ~ "'") }}
{%- endmacro %}
