with source as (
    select * from {{ source('marketing', 'campaigns') }}
),

renamed as (
    select
        raw_row_id,
        {{ read_text('campaign_id') }} as campaign_id,
        {{ read_text('campaign_name') }} as campaign_name,
        {{ read_timestamp('started_at') }} as started_at,
        {{ read_timestamp('ended_at') }} as ended_at,
        {{ read_text('channel') }} as channel,
        {{ read_number('cost') }} as cost,
        {{ read_text('currency') }} as currency,
        {{ read_text('promotion_code') }} as promotion_code,
        {{ read_text('started_at') }} as started_at_text,
        {{ unreadable_values({
            'ended_at': 'timestamp', 'cost': 'number',
        }) }} as unreadable_values,
        {{ row_hash() }} as content_hash,
        unreadable_line,
        {{ row_value('source') }} as raw_record
    from source
),

keyed as (
    select
        *,
        campaign_id as source_key
    from renamed
),

numbered as (
    select
        *,
        {{ copy_number(required='started_at') }} as copy_number,
        first_value(content_hash) over ({{ copies_in_order(required='started_at') }}) as kept_content_hash
    from keyed
),

judged as (
    select
        *,
        case when unreadable_line is not null then ['unreadable_line'] else list_filter([
            case when source_key is null then 'no_key' end,
            {{ duplicate_reason() }},
            case when started_at_text is null then 'no_date' when started_at is null then 'unreadable_date'
                when started_at < '{{ var('earliest_event_date') }}' then 'impossible_date' end,
            case when cost < 0 then 'impossible_amount' end
        ], reason -> reason is not null) end as rejection_reasons
    from numbered
)

select * from judged
