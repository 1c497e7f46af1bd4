with path_sets as (
    select * from {{ ref('int_path_sets') }}
),

basket_lines as (
    select * from {{ ref('int_basket_lines') }}
    where unit = 'customer'
),

products as (
    select * from {{ ref('dim_products') }}
),

web_events as (
    select * from {{ ref('int_web_event_sessions') }}
),

service_events as (
    select * from {{ ref('int_service_events') }}
),

-- A position in the path is a purchase day; in a visit it is an event.
steps as (
    select
        'purchased_products' as events,
        basket_id as entity_id,
        basket_date as event_date,
        date_diff('day', '1970-01-01'::date, basket_date) as position,
        product_id as item_id,
        true as is_antecedent,
        true as is_consequent
    from basket_lines
    union all
    select
        'purchased_categories' as events,
        basket_lines.basket_id as entity_id,
        basket_lines.basket_date as event_date,
        date_diff('day', '1970-01-01'::date, basket_lines.basket_date) as position,
        products.category as item_id,
        true as is_antecedent,
        true as is_consequent
    from basket_lines
    inner join products on basket_lines.product_id = products.product_id
    union all
    select
        'visits' as events,
        web_session_id as entity_id,
        min(event_at::date) over (partition by web_session_id) as event_date,
        row_number() over (partition by web_session_id order by event_at, source_key) as position,
        event_name as item_id,
        true as is_antecedent,
        true as is_consequent
    from web_events
    union all
    select
        'tickets' as events,
        customer_id as entity_id,
        event_at::date as event_date,
        date_diff('hour', '1970-01-01'::timestamp, event_at) as position,
        item_id,
        not is_ticket as is_antecedent,
        is_ticket as is_consequent
    from service_events
),

of_sets as (
    select distinct
        path_sets.path_set,
        steps.entity_id,
        steps.position,
        steps.item_id,
        steps.is_antecedent,
        steps.is_consequent,
        case
            when path_sets.trained_until >= steps.event_date + path_sets.gap_days then 'training'
            when path_sets.trained_until < steps.event_date and path_sets.as_of_date >= steps.event_date + path_sets.gap_days then 'holdout'
        end as period
    from path_sets
    inner join steps on
        path_sets.events = steps.events
        and path_sets.trained_after < steps.event_date
        and path_sets.as_of_date >= steps.event_date
    where steps.item_id is not null
)

select * from of_sets
