{#- The vocabulary that the person tables of all modules share, read from raw text. -#}
{% macro person_columns() -%}
    {%- for column in person_text_columns() %}
        {{ read_text(column) }} as {{ column }},
    {%- endfor %}
        {{ read_text('birth_date') }} as birth_date_text,
        {{ read_date('birth_date') }} as birth_date,
        {{ read_number('income') }} as income,
        {{ read_integer('household_size') }} as household_size,
        {{ read_timestamp('created_at') }} as created_at,
        {{ read_timestamp('updated_at') }} as updated_at
{%- endmacro %}
