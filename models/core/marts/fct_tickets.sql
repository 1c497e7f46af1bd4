with tickets as (
    select * from {{ ref('int_tickets_cleaned') }}
),

sources as (
    select * from {{ ref('int_customer_sources') }}
),

joined as (
    select
        tickets.ticket_id,
        sources.customer_id,
        tickets.requester_id as support_requester_id,
        tickets.opened_at,
        tickets.closed_at,
        date_diff('minute', tickets.opened_at, tickets.closed_at) / 60.0 as hours_to_close,
        tickets.channel,
        tickets.category,
        tickets.priority,
        tickets.status,
        tickets.satisfaction,
        tickets.order_id,
        tickets.product_id,
        tickets.subject
    from tickets
    left join sources on sources.source_table = 'support.requesters' and sources.source_key = tickets.requester_id
)

select * from joined
