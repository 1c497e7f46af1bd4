{#- The attributes two records are compared by, in the order of the seed match_attributes, which says how many levels each has and
    whether people of one household share it. The macro pair_levels says what the levels are. -#}
{% macro match_attributes() -%}
    {{ return(['first_name', 'last_name', 'birth_date', 'email', 'phone', 'street', 'place', 'company', 'identity_number']) }}
{%- endmacro %}


{#- Share of the records with a value that have this one. -#}
{% macro value_share(column) -%}
    count({{ column }}) over (partition by {{ column }}) / nullif(count({{ column }}) over (), 0)
{%- endmacro %}


{#- Similarity of two texts between 0 and 1 (Winkler 1990). -#}
{% macro text_similarity(left, right) -%}
    jaro_winkler_similarity({{ left }}, {{ right }})
{%- endmacro %}
