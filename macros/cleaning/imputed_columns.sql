{#- The imputed values of one table side by side: record_key, a column each (null where nothing was filled), and the rule for each. -#}
{% macro imputed_columns(table_name, columns) -%}
    select
        record_key,
        {% for column, type in columns.items() -%}
        max(case when column_name = '{{ column }}' then imputed_value end)::{{ type }} as {{ column }},
        {% endfor -%}
        map_from_entries(list((column_name, rule) order by column_name)) as rules
    from {{ ref('int_imputed_values') }}
    where table_name = '{{ table_name }}'
    group by record_key
{%- endmacro %}
