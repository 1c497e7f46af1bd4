{#- The rows of a staging model that nothing was held against. -#}
{% macro accepted_rows(module, table) -%}
    select accepted.*
    from {{ ref('stg_' ~ module ~ '__' ~ table) }} as accepted
    where not exists (
        select 1
        from {{ ref('int_rejected_rows') }} as rejected
        where rejected.source_table = '{{ module }}.{{ table }}' and rejected.raw_row_id = accepted.raw_row_id
    )
{%- endmacro %}
