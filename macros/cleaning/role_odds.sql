{#- Odds that a name now standing as first (or last) name belongs in the other role: how often it stands there in other records,
    with the use of its ending counting as much as one record more. `names` is a relation of int_name_statistics. -#}
{% macro role_odds(names, role) -%}
    {%- set other = 'last' if role == 'first' else 'first' -%}
    {%- set ending = '((' ~ names ~ '.n_' ~ other ~ '_of_ending + 0.5) / (' ~ names ~ '.n_first_of_ending + ' ~ names ~ '.n_last_of_ending))' -%}
    ({{ names }}.n_{{ other }} + {{ ending }}) / ({{ names }}.n_{{ role }} - 1 + 1 - {{ ending }} + 0.01)
{%- endmacro %}
