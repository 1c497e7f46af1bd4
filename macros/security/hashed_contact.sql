{#- What stands for an e-mail address or telephone number in lists that leave the warehouse: equal ones stay equal, but for case and blanks. -#}
{% macro hashed_contact(text) -%}
    sha256(lower(trim({{ text }})))
{%- endmacro %}
