with products as (
    {{ accepted_rows('shop', 'products') }}
),

names as (
    {{ recoded_texts('shop.products', 'product_name') }}
),

categories as (
    {{ recoded_texts('shop.products', 'category') }}
),

category_words as (
    {{ vocabulary('shop.products', 'category') }}
),

repaired as (
    select
        products.source_key,
        products.product_id,
        {{ tidy_text('coalesce(names.repaired_text, products.product_name)') }} as product_name,
        coalesce(category_words.value, {{ tidy_text('coalesce(categories.repaired_text, products.category)') }}) as category,
        case when products.list_price >= 0 then products.list_price end as list_price,
        case when products.unit_cost >= 0 then products.unit_cost end as unit_cost,
        {{ known_currency('products.currency') }} as currency,
        products.launched_at,
        case
            when products.discontinued_at >= products.launched_at or products.launched_at is null then products.discontinued_at
        end as discontinued_at,
        products.unreadable_values,
        {{ text_rule('names') }} as name_rule,
        coalesce(category_words.rule, {{ text_rule('categories') }}) as category_rule
    from products
    left join names using (source_key)
    left join categories using (source_key)
    left join category_words on category_words.written_value = products.category
)

select * from repaired
