{#- The rows of a raw table at a stage, every column as text: as delivered (raw), or accepted and cleaned (clean). -#}
{% macro quality_rows(table, stage) -%}
    {%- set kept = adapter.get_columns_in_relation(ref(table.config.meta.cleaned)) -%}
    {%- set types = {} -%}
    {%- for column in kept %}{% do types.update({column.name: column.dtype}) %}{% endfor -%}
    select
        source_key{{ ',' if quality_columns(table) }}
    {%- for column in quality_columns(table) %}
        {%- if stage == 'raw' %}
        case when trim(raw_record.{{ column.name }}) != '' then raw_record.{{ column.name }} end as {{ column.name }}
        {%- elif column.name not in types %}
        source_key as {{ column.name }}
        {%- else %}
        {{ (number_text if types[column.name].startswith('DECIMAL') else cast_to_text)(column.name) }} as {{ column.name }}
        {%- endif %}
        {%- if not loop.last %},{% endif %}
    {%- endfor %}
    from {{ quality_staged(table) if stage == 'raw' else quality_cleaned(table) ~ ' as cleaned' }}
{%- endmacro %}
