{#- Each rule names what two records must share to be compared at all. -#}
{%- set rules = {
    'email': 'email',
    'email_name': 'email_name',
    'identity_number': 'identity_number',
    'names': "least(first_name, last_name) || ' ' || greatest(first_name, last_name)",
    'first_name': 'first_name',
    'last_name': 'last_name',
    'name_beginnings': "left(first_name, 3) || ' ' || left(last_name, 3)",
    'name_endings': "right(first_name, 3) || ' ' || right(last_name, 4)",
    'birth_date': 'least(birth_date, birth_date_swapped)',
    'birth_month_initials': "left(birth_date, 6) || ' ' || left(first_name, 1) || left(last_name, 1)",
    'birth_year_first_name': "left(birth_date, 4) || ' ' || first_name",
    'birth_year_last_name': "left(birth_date, 4) || ' ' || last_name",
    'street': "street || ' ' || coalesce(city, postcode)",
    'postcode_last_name': "postcode || ' ' || left(last_name, 4)",
    'postcode_first_name': "postcode || ' ' || left(first_name, 3)",
    'city_first_name': "city || ' ' || first_name",
    'city_last_name': "city || ' ' || last_name",
    'city': 'city',
    'company_first_name': "company || ' ' || left(first_name, 3)",
    'phone': 'phone_1',
} -%}
with attributes as (
    select * from {{ ref('int_match_attributes') }}
),

keyed as (
    {% for rule, key in rules.items() %}
    select
        '{{ rule }}' as blocking_rule,
        {{ key }} as block_key,
        record_number
    from attributes
    where {{ key }} is not null
    union all
    {% endfor %}
    select
        'phone' as blocking_rule,
        phone_2 as block_key,
        record_number
    from attributes
    where phone_2 is not null
)

select * from keyed
