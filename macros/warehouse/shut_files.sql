{#- Runs after landing: from here on the connection reaches the warehouse, the seeds and the folder of what is published, no other file
    and no network, and its configuration is locked, whatever a model's SQL says. -#}
{% macro shut_files() %}
    {% if execute %}
        {% do adapter.store_relation('dbt_plugin', none, [], '', '', {'do': 'shut', 'project': env_var('DBT_PROJECT_DIR', '.')}) %}
    {% endif %}
{% endmacro %}
