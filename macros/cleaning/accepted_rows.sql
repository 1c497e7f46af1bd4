{#- The accepted rows of a staging model: those without a reason for rejection. -#}
{% macro accepted_rows(module, table) -%}
    select accepted.*
    from {{ ref('stg_' ~ module ~ '__' ~ table) }} as accepted
    where not exists (
        select 1
        from {{ ref('int_rejected_rows') }} as rejected
        where rejected.source_table = '{{ module }}.{{ table }}' and rejected.raw_row_id = accepted.raw_row_id
    )
{%- endmacro %}
