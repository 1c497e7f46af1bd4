-- A stored fit outlives a switch to other data or another currency: build once with refit: always.
{{ config(severity='warn') }}
with fitted as (
    select
        as_of_date,
        max(value) filter (where model = 'mbg_nbd' and term = 'n_customers') as n_fitted,
        max(value) filter (where term = 'p') * max(value) filter (where term = 'gamma')
        / (max(value) filter (where term = 'q') - 1) as mean_amount
    from {{ ref('value_terms') }}
    where model in ('mbg_nbd', 'gamma_gamma')
    group by as_of_date
),

seen as (
    select
        as_of_date,
        count(*) as n_customers,
        sum(n_repeat_orders * mean_repeat_amount) / nullif(sum(n_repeat_orders), 0) as mean_amount
    from {{ ref('int_customer_purchases') }}
    group by as_of_date
)

select
    seen.as_of_date,
    seen.n_customers,
    fitted.n_fitted,
    seen.mean_amount,
    fitted.mean_amount as fitted_mean_amount
from seen
inner join fitted on seen.as_of_date = fitted.as_of_date
where
    abs(ln(seen.n_customers / fitted.n_fitted)) > ln(1.2)
    or abs(ln(greatest(seen.mean_amount, 0.01) / greatest(fitted.mean_amount, 0.01))) > ln(2)
