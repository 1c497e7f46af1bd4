{#- A schema is named as the folder says, without a prefix: BI tools read `marts.dim_customers`. -#}
{% macro generate_schema_name(custom_schema_name, node) -%}
    {{ (custom_schema_name or target.schema) | trim }}
{%- endmacro %}
