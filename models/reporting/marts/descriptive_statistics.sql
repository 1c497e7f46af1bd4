with described as (
    select * from {{ ref('int_described_values') }}
),

segments as (
    select * from {{ ref('customer_segments') }}
),

states as (
    select * from {{ ref('customer_lifecycle') }}
    where is_current
),

members as (
    select distinct
        customer_id,
        'all' as population,
        'all customers' as population_name
    from described
    {% for clustering in ['behaviour', 'needs'] %}
    union all
    select
        customer_id,
        '{{ clustering }}_segment_' || {{ clustering }}_segment as population,
        {{ clustering }}_segment_name as population_name
    from segments
    where {{ clustering }}_segment is not null and as_of_date = (select max(as_of_date) from described)
    {% endfor %}
    union all
    select
        customer_id,
        'state_' || state as population,
        state as population_name
    from states
),

measured as (
    select
        members.population,
        any_value(members.population_name) as population_name,
        described.as_of_date,
        described.variable,
        count(described.value) as n,
        count(*) - count(described.value) as n_missing,
        -- In a fixed order: the last digit of a sum of fractions depends on it.
        round(avg(described.value order by described.value), 6) as mean,
        round(median(described.value), 6) as median,
        round(var_samp(described.value order by described.value), 6) as variance,
        round(stddev_samp(described.value order by described.value), 6) as standard_deviation,
        round(min(described.value), 6) as minimum,
        round({{ quantile('described.value', 0.25) }}, 6) as lower_quartile,
        round({{ quantile('described.value', 0.75) }}, 6) as upper_quartile,
        round(max(described.value), 6) as maximum,
        -- Undefined for a constant; kurtosis also for fewer than four values.
        case when min(described.value) < max(described.value) then round(skewness(described.value order by described.value), 6) end as skewness,
        case
            when min(described.value) < max(described.value) and count(described.value) > 3
                then round(kurtosis(described.value order by described.value), 6)
        end as kurtosis
    from members
    inner join described on members.customer_id = described.customer_id
    group by members.population, described.as_of_date, described.variable
)

select * from measured
