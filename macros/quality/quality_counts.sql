{#- Per column and dimension of one table at one stage: how many values were judged, and how many failed. -#}
{% macro quality_counts(table, stage) -%}
    {%- set checks = [{
        'column_name': table.config.meta.key | join(' + '), 'dimension': 'uniqueness', 'rules': 'key',
        'condition': 'case when source_key is not null then row_number() over (partition by source_key order by source_key) = 1 end',
    }] -%}
    {%- for column in quality_columns(table) -%}
        {%- for rule in quality_rules(column) %}{% do checks.append(dict(rule, column_name=column.name)) %}{% endfor -%}
    {%- endfor -%}
    select
        '{{ table.source_name ~ '.' ~ table.name }}' as source_table,
        '{{ stage }}' as stage,
        unnest([
            {%- for check in checks %}
            {'column_name': '{{ check.column_name }}', 'dimension': '{{ check.dimension }}', 'rules': '{{ check.rules }}',
                'n_checked': count(check_{{ loop.index }}), 'n_failed': count(*) filter (where not check_{{ loop.index }})}{{ ',' if not loop.last }}
            {%- endfor %}
        ], recursive := true)
    from (
        select
            {%- for check in checks %}
            {{ check.condition }} as check_{{ loop.index }}{{ ',' if not loop.last }}
            {%- endfor %}
        from ({{ quality_rows(table, stage) }}) as texts
        cross join horizon
    ) as checked
{%- endmacro %}
