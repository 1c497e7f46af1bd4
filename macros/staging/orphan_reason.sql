{#- Why a row is rejected whose reference exists nowhere in the delivery; an empty reference is no orphan. -#}
{% macro orphan_reason(column, parent, parent_key) -%}
    case
        when {{ column }} is not null
            and not exists (select 1 from {{ parent }} as parents where {{ read_text('parents.' ~ parent_key) }} = numbered.{{ column }})
            then 'orphan_{{ column }}'
    end
{%- endmacro %}
