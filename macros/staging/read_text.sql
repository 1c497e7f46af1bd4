{#- How staging reads raw text: outer blanks are not content, an empty field is a missing value. -#}
{% macro read_text(column) -%}
    nullif(trim({{ column }}), '')
{%- endmacro %}
