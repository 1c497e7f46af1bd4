{#- A var that is a number between two others; anything else stops the build and is named. -#}
{% macro checked_number(variable, least, greatest) %}
{%- set value = var(variable) | float(-1) -%}
{#- sqlfluff knows no exceptions. -#}
{%- if exceptions is defined and (var(variable) is boolean or not least <= value <= greatest) -%}
    {{ exceptions.raise_compiler_error('var ' ~ variable ~ ' is ' ~ var(variable) ~ '; allowed: a number from ' ~ least ~ ' to ' ~ greatest) }}
{%- endif -%}
{{ return(var(variable)) }}
{% endmacro %}
