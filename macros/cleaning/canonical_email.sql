{#- The form in which two spellings of one address are equal. -#}
{% macro canonical_email(column) -%}
    lower(replace(regexp_replace({{ column }}, '^(?i:mailto:)|[.,;>]+$|^<', '', 'g'), ' ', ''))
{%- endmacro %}


{#- Whether the text can be an address at all. A top-level domain of one letter is a typo that may be mended yet. -#}
{% macro is_email(column) -%}
    coalesce(regexp_full_match({{ column }}, '[^@\s,;<>]+@[^@\s,;<>.]+(\.[^@\s,;<>.]+)*\.\pL+'), false)
{%- endmacro %}
