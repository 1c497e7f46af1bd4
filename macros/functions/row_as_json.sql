{#- The row of a CTE, kept whole as one value. -#}
{% macro row_value(relation) -%}
    {{ relation }}
{%- endmacro %}


{#- That value as JSON text: what was delivered, without the empty fields and without the number that landing gave the row. -#}
{% macro row_as_json(row) -%}
    json_merge_patch(json_merge_patch('{}', to_json({{ row }})), '{"raw_row_id": null}')::varchar
{%- endmacro %}
