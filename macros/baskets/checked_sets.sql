{#- A var that is a list of sets, each with a name and options; what is missing or not allowed stops the build and is named. -#}
{% macro checked_sets(variable, numbers, choices) %}
{#- sqlfluff knows no exceptions; to it the list is empty. -#}
{%- if exceptions is defined -%}
{%- for set in var(variable) -%}
    {%- for option in numbers + (choices | list) if set[option] is not defined -%}
        {{ exceptions.raise_compiler_error('var ' ~ variable ~ ', entry ' ~ loop.index ~ ': ' ~ option ~ ' is missing') }}
    {%- endfor -%}
    {%- for option, allowed in choices.items() if set[option] not in allowed -%}
        {{ exceptions.raise_compiler_error('var ' ~ variable ~ ': ' ~ option ~ ' is ' ~ set[option] ~ '; allowed: ' ~ allowed | join(', ')) }}
    {%- endfor -%}
{%- endfor -%}
{{ return(var(variable)) }}
{%- endif -%}
{% endmacro %}
