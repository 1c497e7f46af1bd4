-- depends_on: {{ ref('stg_crm__contacts') }}
-- depends_on: {{ ref('stg_crm__opportunities') }}
-- depends_on: {{ ref('stg_crm__opportunity_stages') }}
-- depends_on: {{ ref('stg_shop__customers') }}
-- depends_on: {{ ref('stg_shop__products') }}
-- depends_on: {{ ref('stg_shop__orders') }}
-- depends_on: {{ ref('stg_shop__order_lines') }}
-- depends_on: {{ ref('stg_shop__web_events') }}
-- depends_on: {{ ref('stg_support__requesters') }}
-- depends_on: {{ ref('stg_support__tickets') }}
-- depends_on: {{ ref('stg_marketing__subscribers') }}
-- depends_on: {{ ref('stg_marketing__campaigns') }}
-- depends_on: {{ ref('stg_marketing__touches') }}
-- depends_on: {{ ref('int_person_records_cleaned') }}
-- depends_on: {{ ref('int_products_cleaned') }}
-- depends_on: {{ ref('int_orders_cleaned') }}
-- depends_on: {{ ref('int_order_lines_cleaned') }}
-- depends_on: {{ ref('int_web_events_cleaned') }}
-- depends_on: {{ ref('int_opportunities_cleaned') }}
-- depends_on: {{ ref('int_opportunity_stages_cleaned') }}
-- depends_on: {{ ref('int_tickets_cleaned') }}
-- depends_on: {{ ref('int_campaigns_cleaned') }}
-- depends_on: {{ ref('int_touches_cleaned') }}
with horizon as (
    select * from {{ ref('int_event_horizon') }}
),

landed as (
    select * from {{ ref('stg_landing__columns') }}
),

counted as (
    select
        ''::varchar as source_table,
        ''::varchar as stage,
        ''::varchar as column_name,
        ''::varchar as dimension,
        ''::varchar as rules,
        0::bigint as n_checked,
        0::bigint as n_failed
    from horizon
    where false
    {% for table in quality_tables() %}
    {% for stage in ['raw', 'clean'] %}
    union all
    {{ quality_counts(table, stage) }}
    {% endfor %}
    {% endfor %}
),

-- A column that the delivery does not have is not a gap in every row.
delivered as (
    select counted.*
    from counted
    left join landed using (source_table, column_name)
    where counted.n_checked > 0 and (counted.dimension = 'uniqueness' or landed.is_present)
)

select * from delivered
