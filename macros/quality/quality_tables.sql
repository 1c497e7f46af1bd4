{#- The raw tables whose quality is measured, as models/staging/_sources.yml declares them; none while dbt only parses. -#}
{% macro quality_tables() %}
    {% if not execute %}{{ return([]) }}{% endif %}
    {{ return(raw_sources()) }}
{% endmacro %}


{#- Its staging view: every delivered row, with the delivered text in `raw_record`. -#}
{% macro quality_staged(table) %}
    {{ return(ref('stg_' ~ table.source_name ~ '__' ~ table.name)) }}
{% endmacro %}


{#- The accepted rows of a raw table, cleaned; the person tables share one model. -#}
{% macro quality_cleaned(table) -%}
    (select * from {{ ref(table.config.meta.cleaned) }}
    {%- if table.config.meta.cleaned == 'int_person_records_cleaned' %} where source_table = '{{ table.source_name ~ '.' ~ table.name }}'{% endif %})
{%- endmacro %}


{#- The declared raw table of that name, crm.contacts. -#}
{% macro quality_table(name) %}
    {% for table in quality_tables() if table.source_name ~ '.' ~ table.name == name %}
        {{ return(table) }}
    {% endfor %}
    {{ exceptions.raise_compiler_error('meta.quality names the raw table `' ~ name ~ '`, which _sources.yml does not declare') }}
{% endmacro %}


{#- The contract's columns that the cleaned model keeps, too: a score of the raw alone could show no improvement. -#}
{% macro quality_columns(table) %}
    {% set kept = adapter.get_columns_in_relation(ref(table.config.meta.cleaned)) | map(attribute='name') | list %}
    {% set key = table.config.meta.key %}
    {{ return(table.columns.values() | selectattr('name', 'in', kept + (key if key | length == 1 else [])) | list) }}
{% endmacro %}
