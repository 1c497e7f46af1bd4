{#- Who was forgotten is not landed again, although the source may still deliver the person: records by the keyed hash of their key,
    rows that refer to them without the reference and without what their columns declare as personal. The connection knows the hashes
    (crm_mining.warehouse.erasure); with none of them nothing is hashed. -#}
{% macro where_not_forgotten(table, columns) %}
    {% set key = person_key(table) %}
    {% if not key or key not in columns or not anybody_forgotten() %}{{ return('') }}{% endif %}
    {{ return(' where (' ~ is_forgotten(table.source_name, columns[key]) ~ ') is not true') }}
{% endmacro %}


{#- A column as it is landed: null where its row refers to somebody forgotten and it is the reference or personal; a word instead of
    null where the contract requires a value. -#}
{% macro without_forgotten(table, column, columns) %}
    {% set plain = adapter.quote(columns[column.name]) ~ '::varchar' %}
    {% if person_key(table) or not anybody_forgotten() %}{{ return(plain) }}{% endif %}
    {% set references = [] %}
    {% for other in table.columns.values() if other.name in columns %}
        {% set source = person_source(other.config.meta.get('quality', {}).get('references')) %}
        {% if source and (other.name == column.name or column.config.meta.get('pii')) %}
            {% do references.append('(' ~ is_forgotten(source, columns[other.name]) ~ ')') %}
        {% endif %}
    {% endfor %}
    {% if not references %}{{ return(plain) }}{% endif %}
    {% set instead = "'forgotten'" if column.config.meta.get('pii') and column.config.meta.get('required') else 'null' %}
    {{ return('case when ' ~ references | join(' or ') ~ ' then ' ~ instead ~ ' else ' ~ plain ~ ' end') }}
{% endmacro %}


{% macro is_forgotten(source, column) %}
    {{ return(pseudonym(sql_literal(source ~ ':') ~ ' || trim(' ~ adapter.quote(column) ~ '::varchar)')
        ~ " in (select unnest(getvariable('crm_forgotten')::varchar[]))") }}
{% endmacro %}


{% macro anybody_forgotten() %}
    {{ return(run_query("select coalesce(len(getvariable('crm_forgotten')::varchar[]), 0)").columns[0][0] > 0) }}
{% endmacro %}


{#- The key of a raw table whose rows are person records; none for any other table. -#}
{% macro person_key(table) %}
    {{ return(table.config.meta.key[0] if table.config.meta.get('cleaned') == 'int_person_records_cleaned' else none) }}
{% endmacro %}


{#- The module of a table of person records, crm for crm.contacts; none for any other table. -#}
{% macro person_source(name) %}
    {% for table in raw_sources() if name == table.source_name ~ '.' ~ table.name and person_key(table) %}{{ return(table.source_name) }}{% endfor %}
    {{ return(none) }}
{% endmacro %}
