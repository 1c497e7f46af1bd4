with scores as (
    select * from {{ ref('customer_scores') }}
    qualify as_of_date = max(as_of_date) over ()
),

wide as (
    select
        customer_id,
        max(probability) filter (where target = 'buys_90d') as p_buys_90d,
        max(probability) filter (where target = 'churns') as p_churns,
        max(reason_1) filter (where target = 'buys_90d') as buys_90d_reason,
        max(probability) filter (where target = 'responds_to_campaign') as p_responds_to_campaign
    from scores
    group by customer_id
)

select * from wide
