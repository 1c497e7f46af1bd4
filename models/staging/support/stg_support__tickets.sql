with source as (
    select * from {{ source('support', 'tickets') }}
),

renamed as (
    select
        raw_row_id,
        {{ read_text('ticket_id') }} as ticket_id,
        {{ read_text('requester_id') }} as requester_id,
        {{ read_timestamp('opened_at') }} as opened_at,
        {{ read_timestamp('closed_at') }} as closed_at,
        {{ read_text('channel') }} as channel,
        {{ read_text('category') }} as category,
        {{ read_text('priority') }} as priority,
        {{ read_text('status') }} as status,
        {{ read_integer('satisfaction') }} as satisfaction,
        {{ read_text('order_id') }} as order_id,
        {{ read_text('product_id') }} as product_id,
        {{ read_text('subject') }} as subject,
        {{ read_timestamp('loaded_at') }} as loaded_at,
        {{ read_text('opened_at') }} as opened_at_text,
        {{ unreadable_values({
            'closed_at': 'timestamp', 'satisfaction': 'integer', 'loaded_at': 'timestamp',
        }) }} as unreadable_values,
        {{ row_hash('loaded_at') }} as content_hash,
        unreadable_line,
        {{ row_value('source') }} as raw_record
    from source
),

keyed as (
    select
        *,
        ticket_id as source_key
    from renamed
),

numbered as (
    select
        *,
        {{ copy_number('loaded_at', required='opened_at') }} as copy_number,
        first_value(content_hash) over ({{ copies_in_order('loaded_at', required='opened_at') }}) as kept_content_hash
    from keyed
),

judged as (
    select
        *,
        case when unreadable_line is not null then ['unreadable_line'] else list_filter([
            case when source_key is null then 'no_key' end,
            {{ duplicate_reason() }},
            case when opened_at_text is null then 'no_date' when opened_at is null then 'unreadable_date'
                when opened_at < '{{ var('earliest_event_date') }}' then 'impossible_date' end,
            {{ orphan_reason('requester_id', source('support', 'requesters'), 'requester_id') }}
        ], reason -> reason is not null) end as rejection_reasons
    from numbered
)

select * from judged
