with source as (
    select * from {{ source('crm', 'opportunity_stages') }}
),

renamed as (
    select
        raw_row_id,
        {{ read_text('opportunity_id') }} as opportunity_id,
        {{ read_text('stage') }} as stage,
        {{ read_timestamp('entered_at') }} as entered_at,
        {{ read_timestamp('loaded_at') }} as loaded_at,
        {{ read_text('entered_at') }} as entered_at_text,
        {{ unreadable_values({
            'loaded_at': 'timestamp',
        }) }} as unreadable_values,
        {{ row_hash('loaded_at') }} as content_hash,
        unreadable_line,
        {{ row_value('source') }} as raw_record
    from source
),

keyed as (
    select
        *,
        opportunity_id || '|' || stage || '|' || coalesce(entered_at_text, '') as source_key
    from renamed
),

numbered as (
    select
        *,
        {{ copy_number('loaded_at') }} as copy_number,
        first_value(content_hash) over ({{ copies_in_order('loaded_at') }}) as kept_content_hash
    from keyed
),

judged as (
    select
        *,
        case when unreadable_line is not null then ['unreadable_line'] else list_filter([
            case when source_key is null then 'no_key' end,
            {{ duplicate_reason() }},
            case when entered_at_text is null then 'no_date' when entered_at is null then 'unreadable_date'
                when entered_at < '{{ var('earliest_event_date') }}' then 'impossible_date' end,
            case when stage is null then 'no_stage' end,
            {{ orphan_reason('opportunity_id', source('crm', 'opportunities'), 'opportunity_id') }}
        ], reason -> reason is not null) end as rejection_reasons
    from numbered
)

select * from judged
