with opportunities as (
    {{ accepted_rows('crm', 'opportunities') }}
),

stage_words as (
    {{ vocabulary('crm.opportunities', 'stage') }}
),

source_words as (
    {{ vocabulary('crm.opportunities', 'lead_source') }}
),

rates as (
    select * from {{ ref('int_exchange_rates') }}
),

repaired as (
    select
        opportunities.source_key,
        opportunities.opportunity_id,
        opportunities.contact_id,
        opportunities.created_at,
        coalesce(stage_words.value, opportunities.stage) as stage,
        opportunities.amount,
        {{ known_currency('opportunities.currency') }} as currency,
        opportunities.product_id,
        opportunities.expected_close_date,
        case when opportunities.closed_at >= opportunities.created_at then opportunities.closed_at end as closed_at,
        {{ tidy_text('opportunities.owner') }} as owner,
        coalesce(source_words.value, opportunities.lead_source) as lead_source,
        opportunities.unreadable_values || {{ repairs([
            repair('stage', 'opportunities.stage', 'coalesce(stage_words.value, opportunities.stage)', 'stage_words.rule'),
            repair('lead_source', 'opportunities.lead_source', 'coalesce(source_words.value, opportunities.lead_source)', 'source_words.rule'),
            repair('currency', 'opportunities.currency', known_currency('opportunities.currency'), "'assumed_currency'"),
            repair('owner', 'opportunities.owner', tidy_text('opportunities.owner'), "'tidied_text'"),
            repair('closed_at', 'opportunities.closed_at', 'case when opportunities.closed_at >= opportunities.created_at then opportunities.closed_at end', "'impossible_date'"),
        ]) }} as repairs
    from opportunities
    left join stage_words on stage_words.written_value = opportunities.stage
    left join source_words on source_words.written_value = opportunities.lead_source
),

cleaned as (
    select
        repaired.*,
        (repaired.amount * rates.rate)::decimal(18, 2) as opportunity_amount
    from repaired
    inner join rates on {{ rate_on('repaired.currency', 'repaired.created_at') }}
)

select * from cleaned
