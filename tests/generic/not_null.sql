{#- As dbt's own, but the failing rows come whole, so that record_test_results keeps something to find them by. -#}
{% test not_null(model, column_name) %}
select *
from {{ model }}
where {{ column_name }} is null
{% endtest %}
