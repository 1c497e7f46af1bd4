{#- One entry of a model's `repairs`: what a column held, what it holds now, and the rule that changed it. -#}
{% macro repair_entry(column, old, new, rule) -%}
    {'column_name': '{{ column }}', 'old_value': ({{ old }})::varchar, 'new_value': ({{ new }})::varchar, 'rule': {{ rule }}}
{%- endmacro %}


{#- The entry, or null when nothing changed. `rule` is an SQL expression. -#}
{% macro repair(column, old, new, rule) -%}
    case when {{ old }} is distinct from {{ new }} then {{ repair_entry(column, old, new, rule) }} end
{%- endmacro %}


{#- A list of repairs without the nulls. -#}
{% macro repairs(entries) -%}
    list_filter([
        {{ entries | join(',\n        ') }}
    ], entry -> entry is not null)
{%- endmacro %}
