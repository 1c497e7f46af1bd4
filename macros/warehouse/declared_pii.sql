{#- Rows (table, column, class, masking) of every column whose YAML says `meta: {pii: …}`: of the raw contract, named <module>.<table>,
    and of the marts. A raw table's own `pii` holds for all its columns that say nothing themselves. -#}
{% macro declared_pii() %}
    {% set rows = [] %}
    {% if execute %}
        {% for table in raw_sources() %}
            {% for column in table.columns.values() %}
                {% do add_declared_pii(rows, table.source_name ~ '.' ~ table.name, column, table.config.meta.get('pii')) %}
            {% endfor %}
        {% endfor %}
        {% for mart in marts_of_graph() %}
            {% for column in mart.columns.values() %}{% do add_declared_pii(rows, mart.schema ~ '.' ~ mart.alias, column, none) %}{% endfor %}
        {% endfor %}
    {% endif %}
    {{ return(rows | join(',\n        ') or "('none', 'none', 'none', 'none')") }}
{% endmacro %}


{% macro add_declared_pii(rows, table_name, column, otherwise) %}
    {% set pii = column.config.meta.get('pii', otherwise) %}
    {% if pii %}
        {% set masking = column.config.meta.get('masking') %}
        {% do rows.append('(' ~ sql_literal(table_name) ~ ', ' ~ sql_literal(column.name) ~ ', ' ~ sql_literal(pii) ~ ', '
            ~ (sql_literal(masking) if masking else 'null') ~ ')') %}
    {% endif %}
{% endmacro %}


{#- The models that are published, by name. -#}
{% macro marts_of_graph() %}
    {{ return(graph.nodes.values() | selectattr('resource_type', 'equalto', 'model') | selectattr('schema', 'equalto', 'marts')
        | sort(attribute='alias') | list) }}
{% endmacro %}
