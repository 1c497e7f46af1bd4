with customers as (
    select * from {{ ref('int_customer_overview') }}
),

summarised as (
    select
        *,
        -- The latest contact in either direction, and its kind.
        greatest(last_purchase_date, last_ticket_date, last_visit_date, last_message_date) as last_touch_date,
        case greatest(last_purchase_date, last_ticket_date, last_visit_date, last_message_date)
            when last_purchase_date then 'purchase'
            when last_ticket_date then 'ticket'
            when last_visit_date then 'visit'
            when last_message_date then 'message'
        end as last_touch,
        case
            when n_orders = 0 then 'Has not bought yet'
            else n_orders || case when n_orders = 1 then ' order' else ' orders' end
                || ' for ' || round(order_amount)::bigint || ' {{ var("warehouse_currency") }}, '
                || case when n_orders > 1 then 'the last ' else '' end
                || case days_since_purchase when 0 then 'today' when 1 then 'yesterday' else days_since_purchase || ' days ago' end
        end as purchase_summary,
        case
            when state is null then 'No account and no order: no customer yet'
            when state = 'new' then 'New this month, next month probably ' || next_state
            else case when state_probability >= 0.9 then '' when state_probability >= 0.5 then 'Probably ' else 'Perhaps ' end
                || case state when 'lost' then 'lost for good' else state end || ' (' || round(100 * state_probability)::bigint || ' %)'
                || case when next_state != state then ', next month probably ' || next_state else '' end
        end as state_words,
        case
            when expected_value_365d is null then 'Nothing to go by'
            else 'Expected to spend ' || round(expected_value_365d)::bigint || ' {{ var("warehouse_currency") }} in the next 365 days'
                || case when value_decile = 1 then ', among the best tenth' else '' end
        end as value_summary,
        case
            when n_tickets = 0 then 'Never asked the service desk'
            else n_tickets || case when n_tickets = 1 then ' ticket' else ' tickets' end
                || case when n_open_tickets > 0 then ', ' || n_open_tickets || ' open' else '' end
                || ', the last on ' || last_ticket_date || coalesce(' about ' || last_ticket_category, '')
                || case when last_satisfaction <= 2 then '; was not satisfied' else '' end
        end as service_summary,
        case
            when n_messages = 0 then 'Was never written to'
            else 'Last written to on ' || last_message_date || coalesce(' (' || last_campaign_name || ')', '')
                || case when has_answered_last_message then ', looked at it' else ', no sign of reading it' end
        end || case when has_consent is null then '; never asked for consent' when not has_consent then '; may not be written to' else '' end
            as contact_summary
    from customers
),

worded as (
    select
        * exclude (state_words),
        upper(state_words[1]) || state_words[2:] as state_summary
    from summarised
)

select * from worded
