{#- The form of a postcode: digits as 9, letters as A, so SW1A 1AA is AA9A 9AA. -#}
{% macro postcode_form(column) -%}
    regexp_replace(regexp_replace({{ column }}, '[A-Z]', 'A', 'g'), '[0-9]', '9', 'g')
{%- endmacro %}
