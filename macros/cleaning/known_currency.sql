{#- The currency if we have rates for it, else the warehouse's own: an amount in an unknown currency can't be converted. -#}
{% macro known_currency(column) -%}
    case
        when upper({{ column }}) in (select currency from {{ ref('int_exchange_rates') }}) then upper({{ column }})
        else '{{ var("warehouse_currency") }}'
    end
{%- endmacro %}


{#- The condition that joins `rates` (int_exchange_rates) to the rate of a day. -#}
{% macro rate_on(currency, day) -%}
    rates.currency = {{ currency }} and {{ day }} >= rates.valid_from and {{ day }} < rates.valid_to
{%- endmacro %}
