{#- Runs after every command, last: publishes the marts when it was a whole build and every node of it passed. Anything else, a
    selection, a failure, another command, leaves what is published as it is. Unit tests may be left out: they judge code, not data. -#}
{% macro publish_marts(results) %}
    {% if not execute or flags.WHICH != 'build' %}{{ return('') }}{% endif %}
    {% set passed = results | selectattr('status', 'in', ['success', 'pass', 'warn']) | map(attribute='node.unique_id') | list %}
    {% set missing = [] %}
    {% for node in graph.nodes.values() if node.resource_type in ('model', 'seed', 'snapshot', 'test') and node.unique_id not in passed %}
        {% do missing.append(node.unique_id) %}
    {% endfor %}
    {% if missing or flags.EMPTY %}
        {{ log('Not published: ' ~ missing | length ~ ' nodes of the project did not run or did not pass; readers keep what they have', info=true) }}
        {{ return('') }}
    {% endif %}
    {% set tables = [] %}
    {% for mart in marts_of_graph() %}{% do tables.append(mart.schema ~ '.' ~ mart.alias) %}{% endfor %}
    {% do adapter.store_relation('dbt_plugin', relation_of_model('pii_inventory'), [], '', '', {
        'do': 'publish', 'run_id': invocation_id, 'started_at': run_started_at | string, 'project': env_var('DBT_PROJECT_DIR', '.'), 'tables': tables,
        'keep': var('published_generations'), 'in_clear': var('publish_pii')}) %}
{% endmacro %}
