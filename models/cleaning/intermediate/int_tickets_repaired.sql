with tickets as (
    {{ accepted_rows('support', 'tickets') }}
),

channel_words as (
    {{ vocabulary('support.tickets', 'channel') }}
),

category_words as (
    {{ vocabulary('support.tickets', 'category') }}
),

priority_words as (
    {{ vocabulary('support.tickets', 'priority') }}
),

status_words as (
    {{ vocabulary('support.tickets', 'status') }}
),

subjects as (
    {{ recoded_texts('support.tickets', 'subject') }}
),

repaired as (
    select
        tickets.source_key,
        tickets.ticket_id,
        tickets.requester_id,
        tickets.opened_at,
        case when tickets.closed_at >= tickets.opened_at then tickets.closed_at end as closed_at,
        coalesce(channel_words.value, tickets.channel) as channel,
        coalesce(category_words.value, tickets.category) as category,
        coalesce(priority_words.value, tickets.priority) as priority,
        coalesce(status_words.value, tickets.status) as status,
        case when tickets.satisfaction between 1 and 5 then tickets.satisfaction end as satisfaction,
        tickets.order_id,
        tickets.product_id,
        {{ tidy_text('coalesce(subjects.repaired_text, tickets.subject)') }} as subject,
        category_words.rule as category_rule,
        priority_words.rule as priority_rule,
        status_words.rule as status_rule,
        channel_words.rule as channel_rule,
        {{ text_rule('subjects') }} as subject_rule
    from tickets
    left join channel_words on channel_words.written_value = tickets.channel
    left join category_words on category_words.written_value = tickets.category
    left join priority_words on priority_words.written_value = tickets.priority
    left join status_words on status_words.written_value = tickets.status
    left join subjects using (source_key)
)

select * from repaired
