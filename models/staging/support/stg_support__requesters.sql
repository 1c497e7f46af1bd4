with source as (
    select * from {{ source('support', 'requesters') }}
),

renamed as (
    select
        raw_row_id,
        {{ read_text('requester_id') }} as requester_id,
        {{ person_columns() }},
        {{ unreadable_values({
            'income': 'number', 'household_size': 'integer', 'created_at': 'timestamp',
            'updated_at': 'timestamp',
        }) }} as unreadable_values,
        {{ row_hash() }} as content_hash,
        unreadable_line,
        {{ row_value('source') }} as raw_record
    from source
),

keyed as (
    select
        *,
        requester_id as source_key
    from renamed
),

numbered as (
    select
        *,
        {{ copy_number('updated_at') }} as copy_number,
        first_value(content_hash) over ({{ copies_in_order('updated_at') }}) as kept_content_hash
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
