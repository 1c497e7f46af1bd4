with source as (
    select * from {{ source('shop', 'products') }}
),

renamed as (
    select
        raw_row_id,
        {{ read_text('product_id') }} as product_id,
        {{ read_text('product_name') }} as product_name,
        {{ read_text('category') }} as category,
        {{ read_number('list_price') }} as list_price,
        {{ read_number('unit_cost') }} as unit_cost,
        {{ read_text('currency') }} as currency,
        {{ read_timestamp('launched_at') }} as launched_at,
        {{ read_timestamp('discontinued_at') }} as discontinued_at,
        {{ unreadable_values({
            'list_price': 'number', 'unit_cost': 'number', 'launched_at': 'timestamp',
            'discontinued_at': 'timestamp',
        }) }} as unreadable_values,
        {{ row_hash() }} as content_hash,
        unreadable_line,
        {{ row_value('source') }} as raw_record
    from source
),

keyed as (
    select
        *,
        product_id as source_key
    from renamed
),

numbered as (
    select
        *,
        {{ copy_number() }} as copy_number,
        first_value(content_hash) over ({{ copies_in_order() }}) as kept_content_hash
    from keyed
),

judged as (
    select
        *,
        case when unreadable_line is not null then ['unreadable_line'] else list_filter([
            case when source_key is null then 'no_key' end,
            {{ duplicate_reason() }}
        ], reason -> reason is not null) end as rejection_reasons
    from numbered
)

select * from judged
