{#- First letter of each part in capitals. Only for text that is all capitals or all small: mixed case was typed on purpose. -#}
{% macro proper_case(column) -%}
    case
        when {{ has_one_case(column) }}
            then array_to_string(list_transform(
                regexp_extract_all(lower({{ column }}), '[^ ''’/.-]+|[ ''’/.-]'),
                part -> case
                    when part in ('von', 'van', 'der', 'den', 'de', 'del', 'della', 'di', 'da', 'du', 'la', 'le', 'zu', 'am', 'an', 'of', 'upon', 'y')
                        then part
                    else upper(left(part, 1)) || substr(part, 2)
                end
            ), '')
        else {{ column }}
    end
{%- endmacro %}


{#- Whether the text has at least two letters, all in one case. -#}
{% macro has_one_case(column) -%}
    (regexp_matches({{ column }}, '\pL.*\pL') and ({{ column }} = upper({{ column }}) or {{ column }} = lower({{ column }})))
{%- endmacro %}
