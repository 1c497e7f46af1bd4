{%- set imputable = {'category': 'varchar', 'unit_cost': 'decimal(18, 4)', 'list_price': 'decimal(18, 4)'} -%}
with raw_products as (
    {{ accepted_rows('shop', 'products') }}
),

repaired as (
    select * from {{ ref('int_products_repaired') }}
),

imputed as (
    {{ imputed_columns('products', imputable) }}
),

filled as (
    select
        repaired.* replace (
            {% for column in imputable %}
            coalesce(repaired.{{ column }}, imputed.{{ column }}) as {{ column }}{{ ',' if not loop.last }}
            {% endfor %}
        ),
        {% for column in imputable %}
        repaired.{{ column }} is null and imputed.{{ column }} is not null as is_{{ column }}_imputed,
        {% endfor %}
        imputed.rules as imputation_rules
    from repaired
    left join imputed on imputed.record_key = repaired.source_key
),

cleaned as (
    select
        filled.* exclude (unreadable_values, name_rule, category_rule, imputation_rules),
        filled.unreadable_values || {{ repairs([
            repair('product_name', 'raw_products.product_name', 'filled.product_name', 'filled.name_rule'),
            repair('category', 'raw_products.category', 'filled.category', "coalesce(filled.imputation_rules['category'], filled.category_rule)"),
            repair('unit_cost', number_text('raw_products.unit_cost'), number_text('filled.unit_cost'), "coalesce(filled.imputation_rules['unit_cost'], 'impossible_price')"),
            repair('list_price', number_text('raw_products.list_price'), number_text('filled.list_price'), "coalesce(filled.imputation_rules['list_price'], 'impossible_price')"),
            repair('currency', 'raw_products.currency', 'filled.currency', "'assumed_currency'"),
            repair('discontinued_at', 'raw_products.discontinued_at', 'filled.discontinued_at', "'impossible_date'"),
        ]) }} as repairs
    from filled
    inner join raw_products using (source_key)
)

select * from cleaned
