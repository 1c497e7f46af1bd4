{#- The attributes of a customer that are fused from their records by the seed fusion_policies, with their types. An address is taken
    whole from one record, so its columns (address_columns) count as one attribute, `address`. -#}
{% macro customer_attributes() -%}
    {{ return({
        'title': 'varchar',
        'first_name': 'varchar',
        'middle_name': 'varchar',
        'last_name': 'varchar',
        'suffix': 'varchar',
        'birth_date': 'date',
        'email': 'varchar',
        'phone': 'varchar',
        'mobile': 'varchar',
        'company': 'varchar',
        'job_title': 'varchar',
        'loyalty_id': 'varchar',
        'gender': 'varchar',
        'income': 'decimal(18, 4)',
        'household_size': 'bigint',
        'language': 'varchar',
    }) }}
{%- endmacro %}


{% macro address_columns() -%}
    {{ return(['street', 'street_number', 'address_line_2', 'city', 'region', 'postcode', 'country']) }}
{%- endmacro %}


{#- Attributes whose gaps cleaning may have filled: is_<attribute>_imputed says so. -#}
{% macro imputed_attributes() -%}
    {{ return(['gender', 'income', 'household_size', 'language']) }}
{%- endmacro %}


{#- Share of comparisons that agree, shrunk towards 1/2 where there are few (Laplace). -#}
{% macro reliability(n_agreeing, n_compared) -%}
    ({{ n_agreeing }} + 1) / ({{ n_compared }} + 2)
{%- endmacro %}


{#- Words of an address in one order, since one source writes the house number before the street, one behind it, one in its own column. -#}
{% macro address_words(columns) -%}
    array_to_string(list_sort(string_split({{ match_text("concat_ws(' ', " ~ columns | join(', ') ~ ")") }}, ' ')), ' ')
{%- endmacro %}
