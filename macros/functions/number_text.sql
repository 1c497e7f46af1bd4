{#- A decimal as people write it: 12.5, not 12.5000. -#}
{% macro number_text(column) -%}
    regexp_replace(({{ column }})::varchar, '\.0+$|(\.\d*[1-9])0+$', '\1')
{%- endmacro %}
