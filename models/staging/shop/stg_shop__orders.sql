with source as (
    select * from {{ source('shop', 'orders') }}
),

renamed as (
    select
        raw_row_id,
        {{ read_text('order_id') }} as order_id,
        {{ read_text('customer_id') }} as customer_id,
        {{ read_timestamp('ordered_at') }} as ordered_at,
        {{ read_text('order_type') }} as order_type,
        {{ read_text('returned_order_id') }} as returned_order_id,
        {{ read_text('status') }} as status,
        {{ read_text('channel') }} as channel,
        {{ read_text('currency') }} as currency,
        {{ read_text('promotion_code') }} as promotion_code,
        {{ read_number('amount') }} as amount,
        {{ read_timestamp('shipped_at') }} as shipped_at,
        {{ read_timestamp('loaded_at') }} as loaded_at,
        {{ read_text('ordered_at') }} as ordered_at_text,
        {{ unreadable_values({
            'amount': 'number', 'shipped_at': 'timestamp', 'loaded_at': 'timestamp',
        }) }} as unreadable_values,
        {{ row_hash('loaded_at') }} as content_hash,
        unreadable_line,
        {{ row_value('source') }} as raw_record
    from source
),

keyed as (
    select
        *,
        order_id as source_key
    from renamed
),

numbered as (
    select
        *,
        {{ copy_number('loaded_at', required='ordered_at') }} as copy_number,
        first_value(content_hash) over ({{ copies_in_order('loaded_at', required='ordered_at') }}) as kept_content_hash
    from keyed
),

judged as (
    select
        *,
        case when unreadable_line is not null then ['unreadable_line'] else list_filter([
            case when source_key is null then 'no_key' end,
            {{ duplicate_reason() }},
            case when ordered_at_text is null then 'no_date' when ordered_at is null then 'unreadable_date'
                when ordered_at < '{{ var('earliest_event_date') }}' then 'impossible_date' end,
            {{ orphan_reason('customer_id', source('shop', 'customers'), 'customer_id') }}
        ], reason -> reason is not null) end as rejection_reasons
    from numbered
)

select * from judged
