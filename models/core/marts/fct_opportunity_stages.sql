with stages as (
    select * from {{ ref('int_opportunity_stages_cleaned') }}
),

opportunities as (
    select * from {{ ref('fct_opportunities') }}
),

ordered as (
    select
        stages.source_key as opportunity_stage_id,
        stages.opportunity_id,
        opportunities.customer_id,
        stages.stage,
        row_number() over (partition by stages.opportunity_id order by stages.entered_at, stages.source_key) as stage_number,
        stages.entered_at,
        lead(stages.entered_at) over (partition by stages.opportunity_id order by stages.entered_at, stages.source_key) as left_at
    from stages
    inner join opportunities using (opportunity_id)
),

timed as (
    select
        *,
        date_diff('day', entered_at, left_at) as days_in_stage
    from ordered
)

select * from timed
