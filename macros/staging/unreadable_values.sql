{#- A list with one repair for each value that is there but can't be read as its type: it becomes null, and says so.
    `types` maps column name to number, integer, date, timestamp or boolean. -#}
{% macro unreadable_values(types) -%}
    {%- set readers = {
        'number': read_number, 'integer': read_integer, 'date': read_date, 'timestamp': read_timestamp, 'boolean': read_boolean,
    } -%}
    list_filter([
        {%- for column, type in types.items() %}
        case when {{ readers[type](column) }} is null
            then {{ repair_entry(column, read_text(column), 'null', "'unreadable_value'") }} end
        {%- if not loop.last %},{% endif %}
        {%- endfor %}
    ], entry -> entry.old_value is not null)
{%- endmacro %}
