with source as (
    select * from {{ source('shop', 'order_lines') }}
),

renamed as (
    select
        raw_row_id,
        {{ read_text('order_id') }} as order_id,
        {{ read_text('product_id') }} as product_id,
        {{ read_number('quantity') }} as quantity,
        {{ read_number('unit_price') }} as unit_price,
        {{ read_integer('line_number') }} as line_number,
        {{ read_timestamp('line_at') }} as line_at,
        {{ read_text('line_text') }} as line_text,
        {{ read_number('discount_amount') }} as discount_amount,
        {{ read_timestamp('loaded_at') }} as loaded_at,
        {{ unreadable_values({
            'line_number': 'integer', 'line_at': 'timestamp', 'discount_amount': 'number',
            'loaded_at': 'timestamp',
        }) }} as unreadable_values,
        {{ row_hash('loaded_at') }} as content_hash,
        unreadable_line,
        {{ row_value('source') }} as raw_record
    from source
),

counted as (
    select
        * replace (
            -- Equal rows get one number, and so one key: they are one line, delivered twice.
            coalesce(line_number, dense_rank() over (
                partition by order_id
                order by product_id, quantity, unit_price, discount_amount, line_at, line_text
            )) as line_number
        )
    from renamed
),

keyed as (
    select
        *,
        order_id || '|' || line_number as source_key
    from counted
),

numbered as (
    select
        *,
        {{ copy_number('loaded_at', required='unit_price') }} as copy_number,
        first_value(content_hash) over ({{ copies_in_order('loaded_at', required='unit_price') }}) as kept_content_hash
    from keyed
),

judged as (
    select
        *,
        case when unreadable_line is not null then ['unreadable_line'] else list_filter([
            case when source_key is null then 'no_key' end,
            {{ duplicate_reason() }},
            case when product_id is null then 'no_product' end,
            case when quantity is null then 'unreadable_quantity' end,
            case when quantity = 0 then 'impossible_quantity' end,
            case when unit_price is null then 'unreadable_price' end,
            -- Bad debt is booked as an adjustment with a price below zero.
            case when unit_price < 0 and not exists (
                select 1 from {{ source('shop', 'orders') }} as orders
                where {{ read_text('orders.order_id') }} = numbered.order_id and lower({{ read_text('orders.order_type') }}) = 'adjustment'
            ) then 'impossible_price' end,
            {{ orphan_reason('order_id', source('shop', 'orders'), 'order_id') }},
            {{ orphan_reason('product_id', source('shop', 'products'), 'product_id') }}
        ], reason -> reason is not null) end as rejection_reasons
    from numbered
)

select * from judged
