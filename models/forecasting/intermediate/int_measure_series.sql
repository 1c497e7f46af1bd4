with measures as (
    select * from {{ ref('int_daily_measures') }}
),

horizon as (
    select * from {{ ref('int_event_horizon') }}
),

known as (
    select
        measures.*,
        horizon.as_of_date,
        frequencies.frequency,
        date_trunc(frequencies.frequency, measures.measured_date)::date as period_start_date
    from measures
    inner join horizon on measures.measured_date <= horizon.as_of_date
    inner join (
        {% for frequency in var('forecast_dimensions') %}
        select
            '{{ frequency }}' as frequency,
            unnest({{ var('forecast_dimensions')[frequency] | list }}) as dimension
        {% if not loop.last %}union all{% endif %}
        {% endfor %}
    ) as frequencies on measures.dimension = frequencies.dimension
    where measures.measure in {{ var('forecast_measures') | list }}
),

steps as (
    select
        measure,
        frequency,
        min(measured_date) as first_date,
        max(as_of_date) as as_of_date,
        unnest(range(date_diff(frequency, min(measured_date), max(as_of_date)) + 1)) as step
    from known
    group by measure, frequency
),

periods as (
    select
        *,
        {% for name, further in [('period_start_date', 0), ('next_start_date', 1)] %}
        case frequency
            when 'week' then (date_trunc('week', first_date) + to_days((7 * (step + {{ further }}))::integer))::date
            else (date_trunc('month', first_date) + to_months((step + {{ further }})::integer))::date
        end as {{ name }}{{ ',' if not loop.last }}
        {% endfor %}
    from steps
),

members as (
    select distinct columns(['measure', 'frequency', 'dimension', 'member']) from known
),

summed as (
    select
        measure,
        frequency,
        dimension,
        member,
        period_start_date,
        sum(value) as value
    from known
    group by all
),

-- A period without events is a zero. What is in the pipeline at a period's end is what has come in less what has left.
filled as (
    select
        periods.*,
        members.dimension,
        members.member,
        summed.value is null as is_filled,
        case
            when measure = 'pipeline' then sum(summed.value) over (partition by measure, frequency, dimension, member order by period_start_date)
            else summed.value
        end as value
    from members
    inner join periods using (measure, frequency)
    left join summed using (measure, frequency, dimension, member, period_start_date)
),

-- Whole periods only: ended by as_of_date, and the measure's first one only if events began within its first tenth.
whole as (
    select
        concat_ws('|', measure, frequency, dimension, member) as series_id,
        measure,
        frequency,
        dimension,
        member,
        period_start_date,
        next_start_date - 1 as period_end_date,
        coalesce(value, 0)::double as value,
        is_filled
    from filled
    where next_start_date <= as_of_date + 1 and first_date <= period_start_date + ((next_start_date - period_start_date) // 10)::integer
)

select * from whole
