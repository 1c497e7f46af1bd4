{#- The texts of one column whose character set was put right, to be joined on the row's key. -#}
{% macro recoded_texts(source_table, column) -%}
    select source_key, repaired_text
    from {{ ref('int_texts_repaired') }}
    where source_table = '{{ source_table }}' and column_name = '{{ column }}'
{%- endmacro %}


{#- The rule that changed a free text. -#}
{% macro text_rule(recoded) -%}
    case when {{ recoded }}.repaired_text is not null then 'text_encoding' else 'tidied_text' end
{%- endmacro %}
