with source as (
    select * from {{ source('shop', 'web_events') }}
),

renamed as (
    select
        raw_row_id,
        {{ read_text('visitor_id') }} as visitor_id,
        {{ read_timestamp('event_at') }} as event_at,
        {{ read_text('event_name') }} as event_name,
        {{ read_text('event_id') }} as event_id,
        {{ read_text('session_id') }} as session_id,
        {{ read_text('customer_id') }} as customer_id,
        {{ read_text('product_id') }} as product_id,
        {{ read_text('page') }} as page,
        {{ read_text('traffic_source') }} as traffic_source,
        {{ read_text('event_at') }} as event_at_text,
        {{ row_hash() }} as content_hash,
        unreadable_line,
        {{ row_value('source') }} as raw_record
    from source
),

keyed as (
    select
        *,
        coalesce(event_id, concat_ws('|', visitor_id, event_at_text, event_name, page, product_id)) as source_key
    from renamed
),

numbered as (
    select
        *,
        {{ copy_number(required='event_at') }} as copy_number,
        first_value(content_hash) over ({{ copies_in_order(required='event_at') }}) as kept_content_hash
    from keyed
),

judged as (
    select
        *,
        case when unreadable_line is not null then ['unreadable_line'] else list_filter([
            case when source_key is null then 'no_key' end,
            {{ duplicate_reason() }},
            case when event_at_text is null then 'no_date' when event_at is null then 'unreadable_date'
                when event_at < '{{ var('earliest_event_date') }}' then 'impossible_date' end,
            case when visitor_id is null then 'no_visitor' end,
            case when event_name is null then 'no_event_name' end,
            {{ orphan_reason('customer_id', source('shop', 'customers'), 'customer_id') }},
            {{ orphan_reason('product_id', source('shop', 'products'), 'product_id') }}
        ], reason -> reason is not null) end as rejection_reasons
    from numbered
)

select * from judged
