{#- Key of a basket rule within its rule set: the keys of its items, 'P001 + P002 => P003'. -#}
{% macro rule_id() -%}
    array_to_string(antecedent_ids, ' + ') || ' => ' || array_to_string(consequent_ids, ' + ')
{%- endmacro %}
