{#- Only who has consented is in any list; addresses are keyed pseudonyms (macro pseudonym), null without CRM_PII_KEY. -#}
with customers as (
    select * from {{ ref('dim_customers') }}
    where has_consent
),

actions as (
    select * from {{ ref('next_best_actions') }}
),

customer_values as (
    select * from {{ ref('customer_value') }}
),

buyers as (
    select * from {{ ref('int_offer_customers') }}
    where n_back = 0
),

members as (
    select
        'action: ' || action as audience,
        customer_id,
        product_id,
        channel
    from actions
    where action in ('thank', 'retain', 'win_back', 'cross_sell')
    union all
    select
        'buyers of ' || main_category as audience,
        customer_id,
        null as product_id,
        null as channel
    from buyers
    where main_category is not null
    union all
    select
        'best tenth' as audience,
        customer_values.customer_id,
        null as product_id,
        null as channel
    from customer_values
    inner join actions
        on customer_values.customer_id = actions.customer_id and customer_values.as_of_date = actions.as_of_date
    where customer_values.decile = 1
),

listed as (
    select
        members.audience,
        members.customer_id,
        actions.as_of_date,
        members.channel,
        members.product_id,
        {{ pseudonym('customers.email') }} as hashed_email,
        {{ pseudonym('customers.mobile') }} as hashed_mobile,
        customers.country,
        customers.language
    from members
    inner join customers on members.customer_id = customers.customer_id
    inner join actions on members.customer_id = actions.customer_id
)

select * from listed
