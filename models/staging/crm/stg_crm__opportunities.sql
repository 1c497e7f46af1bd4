with source as (
    select * from {{ source('crm', 'opportunities') }}
),

renamed as (
    select
        raw_row_id,
        {{ read_text('opportunity_id') }} as opportunity_id,
        {{ read_text('contact_id') }} as contact_id,
        {{ read_timestamp('created_at') }} as created_at,
        {{ read_text('stage') }} as stage,
        {{ read_number('amount') }} as amount,
        {{ read_text('currency') }} as currency,
        {{ read_text('product_id') }} as product_id,
        {{ read_date('expected_close_date') }} as expected_close_date,
        {{ read_timestamp('closed_at') }} as closed_at,
        {{ read_text('owner') }} as owner,
        {{ read_text('lead_source') }} as lead_source,
        {{ read_timestamp('loaded_at') }} as loaded_at,
        {{ read_text('created_at') }} as created_at_text,
        {{ unreadable_values({
            'amount': 'number', 'expected_close_date': 'date', 'closed_at': 'timestamp',
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
        opportunity_id as source_key
    from renamed
),

numbered as (
    select
        *,
        {{ copy_number('loaded_at', required='created_at') }} as copy_number,
        first_value(content_hash) over ({{ copies_in_order('loaded_at', required='created_at') }}) as kept_content_hash
    from keyed
),

judged as (
    select
        *,
        case when unreadable_line is not null then ['unreadable_line'] else list_filter([
            case when source_key is null then 'no_key' end,
            {{ duplicate_reason() }},
            case when created_at_text is null then 'no_date' when created_at is null then 'unreadable_date'
                when created_at < '{{ var('earliest_event_date') }}' then 'impossible_date' end,
            case when stage is null then 'no_stage' end,
            case when amount < 0 then 'impossible_amount' end,
            {{ orphan_reason('contact_id', source('crm', 'contacts'), 'contact_id') }}
        ], reason -> reason is not null) end as rejection_reasons
    from numbered
)

select * from judged
