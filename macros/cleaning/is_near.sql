{#- Whether a ratio lies within a factor of one. -#}
{% macro is_near(ratio, factor) -%}
    {{ ratio }} between 1 / {{ factor }} and {{ factor }}
{%- endmacro %}
