with source as (
    select * from {{ source('marketing', 'touches') }}
),

renamed as (
    select
        raw_row_id,
        {{ read_text('campaign_id') }} as campaign_id,
        {{ read_text('subscriber_id') }} as subscriber_id,
        {{ read_timestamp('touched_at') }} as touched_at,
        {{ read_text('touch_id') }} as touch_id,
        {{ read_boolean('is_control') }} as is_control,
        {{ read_timestamp('opened_at') }} as opened_at,
        {{ read_timestamp('clicked_at') }} as clicked_at,
        {{ read_timestamp('loaded_at') }} as loaded_at,
        {{ read_text('touched_at') }} as touched_at_text,
        {{ unreadable_values({
            'is_control': 'boolean', 'opened_at': 'timestamp', 'clicked_at': 'timestamp',
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
        coalesce(touch_id, campaign_id || '|' || subscriber_id || '|' || coalesce(touched_at_text, '')) as source_key
    from renamed
),

numbered as (
    select
        *,
        {{ copy_number('loaded_at', required='touched_at') }} as copy_number,
        first_value(content_hash) over ({{ copies_in_order('loaded_at', required='touched_at') }}) as kept_content_hash
    from keyed
),

judged as (
    select
        *,
        case when unreadable_line is not null then ['unreadable_line'] else list_filter([
            case when source_key is null then 'no_key' end,
            {{ duplicate_reason() }},
            case when touched_at_text is null then 'no_date' when touched_at is null then 'unreadable_date'
                when touched_at < '{{ var('earliest_event_date') }}' then 'impossible_date' end,
            case when campaign_id is null then 'no_campaign' end,
            case when subscriber_id is null then 'no_subscriber' end,
            {{ orphan_reason('campaign_id', source('marketing', 'campaigns'), 'campaign_id') }},
            {{ orphan_reason('subscriber_id', source('marketing', 'subscribers'), 'subscriber_id') }}
        ], reason -> reason is not null) end as rejection_reasons
    from numbered
)

select * from judged
