{#- The delivered rows of a raw table as text, and the day each came about as `event_date`. -#}
{% macro profiled_rows(table) -%}
    {%- set event = table.config.meta.event -%}
    select
        {%- for column in table.columns %}
        staged.raw_record.{{ column }},
        {%- endfor %}
        {{ 'staged.' ~ event if event is string else 'parents.' ~ event.at }}::date as event_date
    from {{ quality_staged(table) }} as staged
    {%- if event is not string %}
    left join (select * from {{ ref(event.of) }} where copy_number = 1) as parents on parents.{{ event.by }} = staged.{{ event.by }}
    {%- endif %}
{%- endmacro %}


{#- The rows of the newest delivery, by their day. -#}
{% macro is_newest() -%}
    event_date between as_of_date - {{ var('quality_delivery_days') - 1 }} and as_of_date
{%- endmacro %}


{#- The bin of a value, for columns whose values are few or numbers; none for the others. Bins of numbers are powers of two, so that
    they are the same in every run. -#}
{% macro profile_bin(column) %}
    {% set rules = column.config.meta.get('quality', {}) %}
    {% if column.data_type == 'boolean' or rules.category or rules.get('values') %}{{ return(read_text(column.name)) }}{% endif %}
    {% if column.data_type not in ('number', 'integer') %}{{ return(none) }}{% endif %}
    {% set value = read_number(column.name) %}
    {{ return("case sign(" ~ value ~ ") when 0 then '0' when 1 then '2^' || floor(log2(" ~ value ~ "))::integer when -1 then '-2^' || floor(log2(-" ~ value ~ "))::integer end") }}
{% endmacro %}
