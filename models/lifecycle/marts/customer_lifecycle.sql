with states as (
    select * from {{ ref('int_lifecycle_states') }}
),

months as (
    select * from {{ ref('int_customer_months') }}
),

described as (
    select
        months.customer_id,
        months.month,
        months.as_of_date,
        months.month_number,
        states.state,
        states.probability,
        states.state_then,
        states.probability_then,
        states.next_state,
        months.n_orders,
        months.order_amount,
        months.n_visits,
        months.n_tickets,
        months.n_responses,
        months.month = date_trunc('month', months.as_of_date) as is_current,
        states.fitted_as_of_date
    from months
    inner join states on months.customer_id = states.customer_id and months.month = states.month
)

select * from described
