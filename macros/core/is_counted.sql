{#- Whether an order counts: all do but the cancelled ones. `orders` names the table or CTE that holds its status. -#}
{% macro is_counted(orders='orders') -%}
{{ orders }}.status is distinct from 'cancelled'
{%- endmacro %}
