with as_of_dates as (
    select * from {{ ref('int_as_of_dates') }}
),

opportunities as (
    select * from {{ ref('fct_opportunities') }}
),

stages as (
    select * from {{ ref('fct_opportunity_stages') }}
),

-- An opportunity stands in the stage it entered last by then; won or lost it is from its closing on. Its amount is left out: it is that of
-- today, often known only once it is won.
dated as (
    select
        opportunities.*,
        as_of_dates.as_of_date,
        coalesce(opportunities.is_closed and opportunities.closed_at::date <= as_of_dates.as_of_date, false) as is_closed_by_then
    from opportunities
    inner join as_of_dates on opportunities.created_at::date <= as_of_dates.as_of_date
    where opportunities.customer_id is not null
),

entered as (
    select
        dated.opportunity_id,
        dated.as_of_date,
        max(stages.stage_number) as stage_number,
        arg_max(stages.stage, stages.stage_number) as stage,
        date_diff('day', max(stages.entered_at)::date, dated.as_of_date) as days_in_stage
    from dated
    inner join stages on
        dated.opportunity_id = stages.opportunity_id
        and dated.as_of_date >= stages.entered_at::date
    where not dated.is_closed_by_then
    group by dated.opportunity_id, dated.as_of_date
),

counted as (
    select
        dated.customer_id,
        dated.as_of_date,
        count(*) as n_opportunities,
        count(*) filter (where not dated.is_closed_by_then) as n_open_opportunities,
        count(*) filter (where dated.is_closed_by_then and dated.is_won) as n_won_opportunities,
        count(*) filter (where dated.is_closed_by_then and not dated.is_won) as n_lost_opportunities,
        date_diff('day', min(dated.created_at) filter (where not dated.is_closed_by_then)::date, dated.as_of_date)
            as oldest_open_opportunity_days,
        arg_max(entered.stage, (entered.stage_number, dated.opportunity_id)) as furthest_open_stage,
        min(entered.days_in_stage) as days_in_open_stage,
        arg_max(dated.lead_source, (dated.created_at, dated.opportunity_id)) as last_lead_source
    from dated
    left join entered on dated.opportunity_id = entered.opportunity_id and dated.as_of_date = entered.as_of_date
    group by dated.customer_id, dated.as_of_date
)

select * from counted
