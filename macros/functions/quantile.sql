{#- The value below which this share of a column lies, between neighbours by interpolation. -#}
{% macro quantile(column, share) -%}
quantile_cont({{ column }}, {{ share }})
{%- endmacro %}
