with opportunities as (
    select * from {{ ref('int_opportunities_cleaned') }}
),

sources as (
    select * from {{ ref('int_customer_sources') }}
),

joined as (
    select
        opportunities.opportunity_id,
        sources.customer_id,
        opportunities.contact_id as crm_contact_id,
        opportunities.product_id,
        opportunities.created_at,
        opportunities.closed_at,
        opportunities.expected_close_date,
        opportunities.stage,
        lower(opportunities.stage) = 'won' as is_won,
        lower(opportunities.stage) in ('won', 'lost') as is_closed,
        opportunities.opportunity_amount,
        opportunities.owner,
        opportunities.lead_source
    from opportunities
    left join sources on sources.source_table = 'crm.contacts' and sources.source_key = opportunities.contact_id
)

select * from joined
