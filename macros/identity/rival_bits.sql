{#- Evidence of an attribute for a rival explanation (household, namesake); none unless such people share the attribute. -#}
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
