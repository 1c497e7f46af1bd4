{#- Rows of one part of int_prediction_fits: its JSON objects as columns, {name: type}. -#}
{% macro fit_rows(part, columns) -%}
select
    fitted_as_of_date,
    target,
    {% for column, type in columns.items() %}
    ("row" ->> '$.{{ column }}')::{{ type }} as {{ column }}{{ ',' if not loop.last }}
    {% endfor %}
from {{ ref('int_prediction_fits') }}
where part = '{{ part }}'
{%- endmacro %}
