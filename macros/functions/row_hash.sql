{#- A number that is equal for rows of equal content; landing order is not content, nor is a column named here. -#}
{% macro row_hash(except_column=none) -%}
    hash(*columns(* exclude (raw_row_id{{ ', ' ~ except_column if except_column }})))
{%- endmacro %}
