{#- Text as a person would retype it: composed Unicode (NFC), no invisible characters, single blanks. -#}
{% macro tidy_text(column) -%}
    nullif(trim(regexp_replace(
        regexp_replace(
            nfc_normalize({{ column }}),
            '[\x{00AD}\x{200B}-\x{200F}\x{202A}-\x{202E}\x{2060}-\x{2064}\x{2066}-\x{2069}\x{FEFF}\x{0000}-\x{0008}]', '', 'g'
        ),
        '[\s\x{00A0}\x{2000}-\x{200A}\x{202F}\x{205F}\x{3000}]+', ' ', 'g'
    )), '')
{%- endmacro %}
