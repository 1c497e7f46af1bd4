-- Today every customer is known, and has a row of features.
select customer_id from {{ ref('dim_customers') }}
except
select customer_id from {{ ref('int_customer_features') }}
where as_of_date = (select as_of_date from {{ ref('int_event_horizon') }})
