{#- Text as it is compared: small letters without accents, one blank between words, nothing but letters and digits. -#}
{% macro match_text(column) -%}
    nullif(trim(regexp_replace(strip_accents(lower({{ column }})), '[^\pL\pN]+', ' ', 'g')), '')
{%- endmacro %}
