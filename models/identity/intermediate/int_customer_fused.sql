with own_values as (
    select * from {{ ref('int_customer_values') }}
),

policies as (
    select * from {{ ref('int_customer_policies') }}
),

agreement as (
    select * from {{ ref('int_source_agreement') }}
),

-- A filled gap counts only where no record of the customer has a value of its own.
eligible as (
    select
        own_values.*,
        policies.policy,
        case when policies.kind = 'number' then own_values.value::decimal(18, 4) end as number,
        {{ reliability('coalesce(agreement.n_agreeing, 0)', 'coalesce(agreement.n_compared, 0)') }} as reliability
    from own_values
    inner join policies using (attribute)
    left join agreement using (source, attribute)
    qualify rank() over (partition by customer_id, attribute order by fallback_level) = 1
),

-- The weight of a value halves with each year that its record is older than the customer's latest; a record without a date has the
-- weight of one ten years older. Decimals, so that sums don't depend on the order of their terms.
weighed as (
    select
        *,
        greatest(reliability * pow(0.5, coalesce(days_before_latest, 3650) / 365), 0.000001)::decimal(9, 6) as weight,
        case policy
            when 'most_trusted' then reliability
            when 'most_recent' then epoch(recorded_at)
            when 'most_frequent' then count(*) over (partition by customer_id, attribute, compared_value)
            when 'longest' then length(value)
        end as score
    from eligible
),

ranked as (
    select
        *,
        row_number() over (
            partition by customer_id, attribute
            order by score desc nulls last, recorded_at desc nulls last, value asc, record_id asc
        ) as place
    from weighed
),

fused as (
    select
        customer_id,
        attribute,
        policy,
        case policy
            when 'union' then string_agg(distinct value, ' | ' order by value)
            when 'mean' then (sum(number) / count(number))::decimal(18, 4)::varchar
            when 'weighted_average' then (sum(number * weight) / sum(weight))::decimal(18, 4)::varchar
            else max(value) filter (where place = 1)
        end as value,
        max(record_id) filter (where place = 1) as record_id,
        min(fallback_level) as fallback_level,
        count(*) as n_values,
        count(distinct value) as n_distinct_values
    from ranked
    group by customer_id, attribute, policy
)

select * from fused
