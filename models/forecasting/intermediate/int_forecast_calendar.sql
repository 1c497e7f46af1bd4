with series as (
    select * from {{ ref('int_measure_series') }}
),

events as (
    select distinct unnest(generate_series(started_on, ended_on, interval 1 day))::date as event_date
    from {{ ref('forecast_events') }}
),

-- Two years on, the longest horizon there may be.
days as (
    select
        frequency,
        unnest(generate_series(min(period_start_date), max(period_end_date) + 744, interval 1 day))::date as calendar_date
    from series
    group by frequency
),

years as (
    select distinct year(calendar_date) as year
    from days
),

-- Butcher's rule for Easter Sunday in the Gregorian calendar.
easters as (
    select
        year,
        year % 19 as golden,
        year // 100 as century,
        (19 * golden + century - century // 4 - (century - (century + 8) // 25 + 1) // 3 + 15) % 30 as epact,
        (32 + 2 * (century % 4) + 2 * (year % 100 // 4) - epact - year % 4) % 7 as to_sunday,
        epact + to_sunday - 7 * ((golden + 11 * epact + 22 * to_sunday) // 451) + 114 as easter,
        make_date(year, easter // 31, easter % 31 + 1) as easter_sunday
    from years
),

-- Every week has all days of the week, and every December all days before Christmas: that is no news of them.
marked as (
    select
        days.frequency,
        days.calendar_date,
        date_trunc(days.frequency, days.calendar_date)::date as period_start_date,
        strftime(days.calendar_date, '%m-%d') as day_of_year,
        days.frequency = 'month' and isodow(days.calendar_date) <= 5 as is_weekday,
        days.frequency = 'month' and isodow(days.calendar_date) > 5 as is_weekend,
        days.calendar_date between easters.easter_sunday - 7 and easters.easter_sunday as is_easter,
        days.frequency = 'week' and day_of_year between '12-11' and '12-24' as is_christmas,
        days.frequency = 'week' and (day_of_year >= '12-25' or day_of_year = '01-01') as is_new_year,
        events.event_date is not null as is_event
    from days
    inner join easters on year(days.calendar_date) = easters.year
    left join events on days.calendar_date = events.event_date
),

counted as (
    select
        frequency,
        period_start_date,
        max(calendar_date) as period_end_date,
        (count(*) filter (where is_weekday) - 2.5 * count(*) filter (where is_weekend))::double as weekday_balance,
        count(*) filter (where is_easter)::double as easter_days,
        count(*) filter (where is_christmas)::double as christmas_days,
        count(*) filter (where is_new_year)::double as new_year_days,
        count(*) filter (where is_event)::double as event_days
    from marked
    group by frequency, period_start_date
    having date_trunc(frequency, max(calendar_date) + 1) = max(calendar_date) + 1
)

select * from counted
