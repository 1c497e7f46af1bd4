{#- Median absolute deviation: a scale that one odd value does not move. -#}
{% macro median_deviation(value) -%}
    mad({{ value }})
{%- endmacro %}
