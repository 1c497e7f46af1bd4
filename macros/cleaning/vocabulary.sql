{#- The corrections of one small-vocabulary column, to be joined on `written_value`. -#}
{% macro vocabulary(source_table, column) -%}
    select written_value, value, rule
    from {{ ref('int_vocabulary') }}
    where source_table = '{{ source_table }}' and column_name = '{{ column }}'
{%- endmacro %}
