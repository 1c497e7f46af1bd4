{#- The free-text columns of the vocabulary that the person tables share. -#}
{% macro person_text_columns() -%}
    {{ return([
        'title', 'first_name', 'middle_name', 'last_name', 'full_name', 'gender', 'email', 'phone', 'mobile',
        'street', 'street_number', 'address_line_2', 'city', 'region', 'postcode', 'country', 'company', 'job_title',
        'national_id', 'loyalty_id', 'language',
    ]) }}
{%- endmacro %}
