{#- Attributes by the latest of the records that existed then; values that were filled in count as gaps. -#}
with customer_days as (
    select * from {{ ref('int_customer_days') }}
),

sources as (
    select * from {{ ref('int_customer_sources') }}
),

records as (
    select * from {{ ref('int_person_records_cleaned') }}
),

dated as (
    select
        customer_days.customer_id,
        customer_days.as_of_date,
        customer_days.known_date,
        records.*,
        coalesce(records.created_at::date <= customer_days.as_of_date, customer_days.is_current) as is_here
    from customer_days
    inner join sources on customer_days.customer_id = sources.customer_id
    inner join records on sources.record_id = records.record_id
),

described as (
    select
        customer_id,
        as_of_date,
        coalesce(date_diff('day', known_date, as_of_date), 0) as tenure_days,
        count(distinct source) filter (where is_here) as n_sources,
        {% for attribute in ['birth_date', 'country', 'company'] %}
        arg_max({{ attribute }}, (created_at, record_id)) filter (where is_here and {{ attribute }} is not null) as {{ attribute }},
        {% endfor %}
        {% for attribute in ['gender', 'language', 'income', 'household_size'] %}
        arg_max({{ attribute }}, (created_at, record_id)) filter (
            where is_here and {{ attribute }} is not null and not coalesce(is_{{ attribute }}_imputed, false)
        ) as {{ attribute }},
        {% endfor %}
        coalesce(bool_or(loyalty_id is not null) filter (where is_here), false) as has_loyalty_card,
        coalesce(bool_or(unsubscribed_at::date <= as_of_date) filter (where is_here), false) as has_unsubscribed
    from dated
    group by customer_id, as_of_date, known_date
),

persons as (
    select
        * exclude (birth_date, company, income),
        income::double as income,
        company is not null as has_company,
        date_diff('day', birth_date, as_of_date) / 365.25 as age_years
    from described
)

select * from persons
