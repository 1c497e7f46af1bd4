{#- Intervals: of the difference of shares by Agresti and Caffo (one conversion and one other added to each group), of the difference
    of mean revenues by the normal approximation. -#}
with touches as (
    select * from {{ ref('fct_campaign_touches') }}
),

outcomes as (
    select * from {{ ref('int_message_outcomes') }}
),

campaigns as (
    select
        campaign_id,
        any_value(campaign_name) as campaign_name,
        any_value(channel) as channel,
        any_value(campaign_started_at) as started_at,
        any_value(campaign_cost_amount)::double as cost_amount,
        count(*) filter (where not is_control) as n_sent
    from touches
    group by campaign_id
),

counted as (
    select
        campaign_id,
        bool_and(is_complete) as is_complete,
        count(*) filter (where not is_control) as n_treated,
        count(*) filter (where is_control) as n_control,
        count(*) filter (where not is_control and has_opened) as n_opened,
        count(*) filter (where not is_control and has_clicked) as n_clicked,
        count(*) filter (where not is_control and has_converted) as n_converted,
        count(*) filter (where is_control and has_converted) as n_control_converted,
        coalesce(sum(revenue_amount) filter (where not is_control), 0)::double as revenue_amount,
        coalesce(sum(revenue_amount) filter (where is_control), 0)::double as control_revenue_amount,
        coalesce(sum(revenue_amount * revenue_amount) filter (where not is_control), 0)::double as revenue_squares,
        coalesce(sum(revenue_amount * revenue_amount) filter (where is_control), 0)::double as control_revenue_squares
    from outcomes
    group by campaign_id
),

compared as (
    select
        *,
        n_converted / nullif(n_treated, 0) as conversion_rate,
        n_control_converted / nullif(n_control, 0) as control_conversion_rate,
        (n_converted + 1) / (n_treated + 2.0) as treated_share,
        (n_control_converted + 1) / (n_control + 2.0) as control_share,
        revenue_amount / nullif(n_treated, 0) - control_revenue_amount / nullif(n_control, 0) as revenue_lift,
        sqrt(
            greatest(revenue_squares / nullif(n_treated, 0) - pow(revenue_amount / nullif(n_treated, 0), 2), 0) / nullif(n_treated, 0)
            + greatest(control_revenue_squares / nullif(n_control, 0) - pow(control_revenue_amount / nullif(n_control, 0), 2), 0)
            / nullif(n_control, 0)
        ) as revenue_lift_error
    from counted
),

judged as (
    select
        *,
        conversion_rate - control_conversion_rate as lift,
        treated_share - control_share as centre,
        1.96 * sqrt(treated_share * (1 - treated_share) / (n_treated + 2) + control_share * (1 - control_share) / (n_control + 2)) as reach
    from compared
)

select
    campaigns.campaign_id,
    campaigns.campaign_name,
    campaigns.channel,
    campaigns.started_at,
    coalesce(judged.is_complete, false) as is_complete,
    campaigns.n_sent,
    coalesce(judged.n_treated, 0) as n_treated,
    coalesce(judged.n_control, 0) as n_control,
    coalesce(judged.n_opened, 0) as n_opened,
    coalesce(judged.n_clicked, 0) as n_clicked,
    coalesce(judged.n_converted, 0) as n_converted,
    coalesce(judged.n_control_converted, 0) as n_control_converted,
    judged.conversion_rate,
    judged.control_conversion_rate,
    judged.lift,
    case when judged.n_control > 0 and judged.n_treated > 0 then judged.centre - judged.reach end as lift_low,
    case when judged.n_control > 0 and judged.n_treated > 0 then judged.centre + judged.reach end as lift_high,
    judged.lift * judged.n_treated as incremental_customers,
    coalesce(judged.revenue_amount, 0)::decimal(18, 2) as revenue_amount,
    (judged.revenue_lift * judged.n_treated)::decimal(18, 2) as incremental_revenue_amount,
    ((judged.revenue_lift - 1.96 * judged.revenue_lift_error) * judged.n_treated)::decimal(18, 2) as incremental_revenue_low,
    ((judged.revenue_lift + 1.96 * judged.revenue_lift_error) * judged.n_treated)::decimal(18, 2) as incremental_revenue_high,
    campaigns.cost_amount::decimal(18, 2) as cost_amount,
    (campaigns.cost_amount / nullif(judged.lift * judged.n_treated, 0))::decimal(18, 2) as cost_per_incremental_customer
from campaigns
left join judged on campaigns.campaign_id = judged.campaign_id
