{#- Keyed pseudonym of a text: HMAC-SHA-256 as 64 hexadecimal digits, null without CRM_PII_KEY. Equal texts (but for case and blanks)
    have equal pseudonyms, here and in the published marts, so they can be joined; who lacks the key can neither undo one nor try
    names. For tables only: the function and its key live in the connection of the build (crm_mining.warehouse.keys), a view would lack them. -#}
{% macro pseudonym(text) -%}
    crm_pseudonym(lower(trim({{ text }})))
{%- endmacro %}
