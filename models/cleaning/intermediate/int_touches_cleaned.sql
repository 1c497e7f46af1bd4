with touches as (
    {{ accepted_rows('marketing', 'touches') }}
),

repaired as (
    select
        source_key,
        campaign_id,
        subscriber_id,
        touched_at,
        is_control,
        case when opened_at >= touched_at then opened_at end as opened_at,
        case when clicked_at >= touched_at then clicked_at end as clicked_at
    from touches
),

cleaned as (
    select
        repaired.*,
        touches.unreadable_values || {{ repairs([
            repair('opened_at', 'touches.opened_at', 'repaired.opened_at', "'impossible_date'"),
            repair('clicked_at', 'touches.clicked_at', 'repaired.clicked_at', "'impossible_date'"),
        ]) }} as repairs
    from repaired
    inner join touches using (source_key)
)

select * from cleaned
