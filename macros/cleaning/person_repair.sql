{#- The repair entry of one person column: which rules changed it follows from the raw, tidied and cleaned values. -#}
{% macro person_repair(column, rule, imputed=false) -%}
    {%- set rules -%}
    concat_ws(
            ' + ',
            case when list_contains(texts.recoded_columns, '{{ column }}') then 'text_encoding'
                when records.{{ column }} is distinct from texts.{{ column }} then 'tidied_text' end,
            case when texts.{{ column }} is distinct from repaired.{{ column }} then {{ rule }} end
            {%- if imputed %},
            case when repaired.{{ column }} is null then imputed.rules['{{ column }}'] end
            {%- endif %}
        )
    {%- endset -%}
    {{ repair(column, 'records.' ~ column, 'cleaned.' ~ column, rules) }}
{%- endmacro %}
