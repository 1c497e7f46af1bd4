{#- How many letters two words differ by (insertion, deletion, change, exchange of neighbours), case and accents aside: DuckDB counts
    bytes, so that an accent would count as a letter of its own. -#}
{% macro spelling_distance(left, right) -%}
    damerau_levenshtein(strip_accents(lower({{ left }})), strip_accents(lower({{ right }})))
{%- endmacro %}
