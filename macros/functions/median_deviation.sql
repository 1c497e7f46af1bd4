{#- Median of the distances from the median: a spread that one odd value does not move. -#}
{% macro median_deviation(value) -%}
    mad({{ value }})
{%- endmacro %}
