{{ config(materialized='view') }}
{#- For each table its key, the source where it has several, the columns that may be filled, and what else there is to infer them from. -#}
{%- set tables = {
    'persons': {
        'relation': 'int_person_records_repaired', 'key': 'record_id', 'source': 'source',
        'imputable': ['gender', 'household_size', 'income', 'language'],
        'texts': {
            'gender': 'gender', 'language': 'language', 'first_name': 'first_name', 'source': 'source', 'country': 'country', 'city': 'city',
            'has_company': '(company is not null)', 'has_title': '(title is not null)', 'has_job_title': '(job_title is not null)',
        },
        'numbers': {'household_size': 'household_size', 'income': 'income', 'birth_year': 'year(birth_date)'},
    },
    'products': {
        'relation': 'int_products_repaired', 'key': 'source_key', 'imputable': ['category', 'unit_cost', 'list_price'],
        'texts': {'category': 'category', 'currency': 'currency'},
        'numbers': {'unit_cost': 'unit_cost', 'list_price': 'list_price'},
    },
    'orders': {
        'relation': 'int_orders_repaired', 'key': 'source_key', 'imputable': ['channel'],
        'texts': {
            'channel': 'channel', 'order_type': 'order_type', 'currency': 'currency', 'status': 'status', 'customer_id': 'customer_id',
            'has_promotion': '(promotion_code is not null)',
        },
        'numbers': {'amount': 'amount', 'ordered_hour': 'hour(ordered_at)', 'ordered_weekday': 'isodow(ordered_at)'},
    },
    'tickets': {
        'relation': 'int_tickets_repaired', 'key': 'source_key', 'imputable': ['category', 'priority', 'channel', 'satisfaction'],
        'texts': {
            'category': 'category', 'priority': 'priority', 'channel': 'channel', 'status': 'status', 'subject': 'subject',
            'has_order': '(order_id is not null)', 'has_product': '(product_id is not null)',
        },
        'numbers': {'satisfaction': 'satisfaction', 'hours_to_close': "date_diff('minute', opened_at, closed_at) / 60.0"},
    },
} -%}
with records as (
    {% for table, spec in tables.items() %}
    select
        '{{ table }}' as table_name,
        {{ spec.key }} as record_key,
        {{ spec.source or "'" ~ table ~ "'" }} as source,
        ['{{ spec.imputable | join("', '") }}'] as imputable,
        map {
            {%- for name, value in spec.texts.items() %}
            '{{ name }}': {{ value }}::varchar{{ ',' if not loop.last }}
            {%- endfor %}
        } as texts,
        map {
            {%- for name, value in spec.numbers.items() %}
            '{{ name }}': {{ value }}::double{{ ',' if not loop.last }}
            {%- endfor %}
        } as numbers
    from {{ ref(spec.relation) }}
    {% if not loop.last %}union all{% endif %}
    {% endfor %}
)

select * from records
