with stages as (
    select * from {{ ref('fct_opportunity_stages') }}
),

opportunities as (
    select * from {{ ref('fct_opportunities') }}
),

followed as (
    select
        stages.*,
        opportunities.is_won,
        opportunities.is_closed,
        opportunities.opportunity_amount,
        lead(stages.stage) over (partition by stages.opportunity_id order by stages.stage_number) as next_stage
    from stages
    inner join opportunities on stages.opportunity_id = opportunities.opportunity_id
),

-- Won and lost are final: nothing converts from them.
counted as (
    select
        date_trunc('month', entered_at)::date as entered_month,
        stage,
        count(*) as n_entered,
        count(*) filter (where next_stage is not null and lower(next_stage) != 'lost') as n_advanced,
        count(*) filter (where lower(next_stage) = 'lost') as n_lost,
        count(*) filter (where next_stage is null) as n_still_there,
        count(*) filter (where is_won) as n_won_in_the_end,
        count(*) filter (where is_closed) as n_closed_in_the_end,
        median(days_in_stage)::double as median_days_in_stage,
        sum(opportunity_amount)::decimal(18, 2) as entered_amount,
        coalesce(sum(opportunity_amount) filter (where is_won), 0)::decimal(18, 2) as won_amount
    from followed
    where lower(stage) not in ('won', 'lost')
    group by date_trunc('month', entered_at)::date, stage
),

rated as (
    select
        *,
        n_advanced / nullif(n_advanced + n_lost, 0)::double as advanced_share,
        n_won_in_the_end / nullif(n_closed_in_the_end, 0)::double as won_share
    from counted
)

select * from rated
