{#- The long form in which gaps are filled: one row per record and column that may have gaps, its value as text, and the values
    of all columns that a policy may group by. -#}
{% macro imputation_cells(relation, table_name, key, columns, groups, source='') -%}
    select
        '{{ table_name }}' as table_name,
        {{ key }} as record_key,
        {{ source or "'" ~ table_name ~ "'" }} as source,
        unnest([
            {%- for column in columns %}
            {'column_name': '{{ column }}', 'value': {{ column }}::varchar}{{ ',' if not loop.last }}
            {%- endfor %}
        ], recursive := true),
        map { {%- for group in groups %}'{{ group }}': {{ group }}::varchar{{ ', ' if not loop.last }}{% endfor -%} } as group_values
    from {{ relation }}
{%- endmacro %}
