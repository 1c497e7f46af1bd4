with stages as (
    {{ accepted_rows('crm', 'opportunity_stages') }}
),

stage_words as (
    {{ vocabulary('crm.opportunity_stages', 'stage') }}
),

cleaned as (
    select
        stages.source_key,
        stages.opportunity_id,
        coalesce(stage_words.value, stages.stage) as stage,
        stages.entered_at,
        stages.unreadable_values || {{ repairs([
            repair('stage', 'stages.stage', 'coalesce(stage_words.value, stages.stage)', 'stage_words.rule'),
        ]) }} as repairs
    from stages
    left join stage_words on stage_words.written_value = stages.stage
)

select * from cleaned
