{#- What an attribute says for one of the rival explanations (household, namesake): nothing, unless it is one they share. -#}
{% macro rival_bits(attribute, kind) -%}
    case
            when patterns.{{ attribute }}_{{ kind }}_bits = 0 then 0
            else patterns.{{ attribute }}_{{ kind }}_bits + {{ attribute }}_rarity_bits
        end
{%- endmacro %}


{#- The sum of one column for each attribute. -#}
{% macro sum_of_columns(attributes, suffix) -%}
    {%- for attribute in attributes %}
        {{ '+ ' if not loop.first }}{{ attribute }}{{ suffix }}
    {%- endfor %}
{%- endmacro %}
