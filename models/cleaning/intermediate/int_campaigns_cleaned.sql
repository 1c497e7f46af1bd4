with campaigns as (
    {{ accepted_rows('marketing', 'campaigns') }}
),

channel_words as (
    {{ vocabulary('marketing.campaigns', 'channel') }}
),

names as (
    {{ recoded_texts('marketing.campaigns', 'campaign_name') }}
),

rates as (
    select * from {{ ref('int_exchange_rates') }}
),

repaired as (
    select
        campaigns.source_key,
        campaigns.campaign_id,
        {{ tidy_text('coalesce(names.repaired_text, campaigns.campaign_name)') }} as campaign_name,
        campaigns.started_at,
        case when campaigns.ended_at >= campaigns.started_at then campaigns.ended_at end as ended_at,
        coalesce(channel_words.value, campaigns.channel) as channel,
        campaigns.cost,
        {{ known_currency('campaigns.currency') }} as currency,
        campaigns.promotion_code,
        {{ text_rule('names') }} as name_rule,
        channel_words.rule as channel_rule
    from campaigns
    left join names using (source_key)
    left join channel_words on channel_words.written_value = campaigns.channel
),

cleaned as (
    select
        repaired.* exclude (name_rule, channel_rule),
        (repaired.cost * rates.rate)::decimal(18, 2) as cost_amount,
        campaigns.unreadable_values || {{ repairs([
            repair('campaign_name', 'campaigns.campaign_name', 'repaired.campaign_name', 'repaired.name_rule'),
            repair('ended_at', 'campaigns.ended_at', 'repaired.ended_at', "'impossible_date'"),
            repair('channel', 'campaigns.channel', 'repaired.channel', 'repaired.channel_rule'),
            repair('currency', 'campaigns.currency', 'repaired.currency', "'assumed_currency'"),
        ]) }} as repairs
    from repaired
    inner join campaigns using (source_key)
    inner join rates on {{ rate_on('repaired.currency', 'repaired.started_at') }}
)

select * from cleaned
