{#- Runs after every command: writes the results of its tests into dq_test_results, and the failing rows of each failed one into a table of
    the schema test_failures. Only failed tests cost anything; dbt's own store_failures makes a table for each of over 300 tests, nearly
    all of them empty (dbt test: 7 to 8 seconds without, 9 to 11 with). Unit tests are left out: they judge code on invented rows. -#}
{% macro record_test_results(results) %}
    {% if not execute %}{{ return('') }}{% endif %}
    {% set tested = results | selectattr('node.resource_type', 'equalto', 'test') | sort(attribute='node.unique_id') %}
    {% if not tested %}{{ return('') }}{% endif %}
    {% do drop_test_failures(tested) %}
    {% set rows = [] %}
    {% for result in tested %}{% do rows.append(test_result_row(result, keep_test_failures(result))) %}{% endfor %}
    {% set recorded = relation_of_model('dq_test_results') %}
    {% if not recorded %}
        {{ log('marts.dq_test_results is not built yet: the test results of this command are not recorded', info=true) }}
        {{ return('') }}
    {% endif %}
    {% set run_id = tested_run_id(results) %}
    {% set ran = [] %}
    {% for result in tested %}{% do ran.append(sql_literal(result.node.name)) %}{% endfor %}
    {% set known = [] %}
    {% for node in graph.nodes.values() if node.resource_type == 'test' %}{% do known.append(sql_literal(node.name)) %}{% endfor %}
    {% do run_query("
        begin;
        delete from " ~ recorded ~ "
        where (run_id = 'unknown' and " ~ run_id ~ " != 'unknown')
            or (run_id = " ~ run_id ~ " and (test_name in (" ~ ran | join(', ') ~ ") or test_name not in (" ~ known | join(', ') ~ ")));
        update " ~ recorded ~ " set failures_table = null
        where test_name in (" ~ ran | join(', ') ~ ") or test_name not in (" ~ known | join(', ') ~ ");
        insert into " ~ recorded ~ "
            (run_id, test_name, test_type, table_name, column_name, severity, status, n_failures, failures_table)
        select " ~ run_id ~ ", *
        from (values " ~ rows | join(', ') ~ ");
        commit") %}
{% endmacro %}


{#- The run that the results belong to, as SQL literal: the state of the raw data that was measured last. unknown where the command
    failed before it measured the data. -#}
{% macro tested_run_id(results) %}
    {% set measured = relation_of_model('int_quality_run') %}
    {% set node_id = 'model.' ~ project_name ~ '.int_quality_run' %}
    {% set built = results | selectattr('node.unique_id', 'equalto', node_id) | selectattr('status', 'equalto', 'success') | list %}
    {% if not measured or (node_id in selected_resources and not built) %}{{ return("'unknown'") }}{% endif %}
    {% set found = run_query('select run_id from ' ~ measured ~ ' where run_id is not null').columns[0].values() %}
    {{ return(sql_literal(found[0] if found else 'unknown')) }}
{% endmacro %}


{#- One row of dq_test_results, but for the run. A unit of the project's own vocabulary: tables are named schema.table. -#}
{% macro test_result_row(result, failures_table) %}
    {% set node = result.node %}
    {% set metadata = node.test_metadata %}
    {% set tables = [] %}
    {% for node_id in ([node.attached_node] if node.attached_node else node.depends_on.nodes) %}
        {% set tested = graph.nodes.get(node_id) or graph.sources.get(node_id) %}
        {% do tables.append(tested.schema ~ '.' ~ (tested.alias or tested.identifier)) %}
    {% endfor %}
    {% set columns = [node.column_name] if node.column_name else (metadata.kwargs.get('columns', []) if metadata else []) %}
    {% set cells = [] %}
    {% for cell in [node.name, metadata.name if metadata else 'singular', tables | sort | join(', '), columns | join(' + '),
        node.config.severity | lower, result.status | string, result.failures, failures_table] %}
        {% do cells.append('null' if cell is none or cell == '' else cell | string if cell is number else sql_literal(cell)) %}
    {% endfor %}
    {{ return('(' ~ cells | join(', ') ~ ')') }}
{% endmacro %}


{#- Stores the failing rows and returns the table's name; none where there are none. -#}
{% macro keep_test_failures(result) %}
    {% if result.status | string not in ('fail', 'warn') %}{{ return(none) }}{% endif %}
    {% set kept = test_failures_relation(result.node) %}
    {% do run_query('create schema if not exists ' ~ kept.without_identifier()) %}
    {% do run_query('create or replace table ' ~ kept ~ ' as (\n' ~ result.node.compiled_code ~ '\n)') %}
    {{ return(kept.schema ~ '.' ~ kept.identifier) }}
{% endmacro %}


{#- Failing rows of an earlier command: of tests that ran again, and of tests that are no more. -#}
{% macro drop_test_failures(tested) %}
    {% set current = [] %}
    {% for node in graph.nodes.values() if node.resource_type == 'test' %}{% do current.append(node.alias) %}{% endfor %}
    {% set again = tested | map(attribute='node.alias') | list %}
    {% set place = test_failures_relation(tested[0].node) %}
    {% set kept = run_query("select table_name from information_schema.tables where table_schema = '" ~ place.schema ~ "'").columns[0].values() %}
    {% for name in kept if name in again or name not in current %}
        {% do run_query('drop table ' ~ place.incorporate(path={'identifier': name})) %}
    {% endfor %}
{% endmacro %}


{% macro test_failures_relation(node) %}
    {{ return(api.Relation.create(database=target.database, schema='test_failures', identifier=node.alias, type='table')) }}
{% endmacro %}


{#- The table of a model of this project, or none where it was not built yet. -#}
{% macro relation_of_model(name) %}
    {% set node = graph.nodes['model.' ~ project_name ~ '.' ~ name] %}
    {{ return(adapter.get_relation(database=node.database, schema=node.schema, identifier=node.alias)) }}
{% endmacro %}
