with features as (
    select * from {{ ref('int_customer_features') }}
),

members as (
    select * from {{ ref('int_segment_members') }}
),

terms as (
    select * from {{ ref('segment_terms') }}
),

names as (
    select distinct
        clustering,
        as_of_date,
        segment,
        segment_name,
        status
    from terms
    where feature != ''
),

named as (
    select
        members.*,
        names.segment_name,
        names.status
    from members
    inner join names on
        members.clustering = names.clustering
        and members.fitted_as_of_date = names.as_of_date
        and members.segment = names.segment
),

wide as (
    select
        features.customer_id,
        features.as_of_date,
        {% for clustering in ['behaviour', 'needs'] %}
        {{ clustering }}.segment as {{ clustering }}_segment,
        {{ clustering }}.segment_name as {{ clustering }}_segment_name,
        {{ clustering }}.distance as {{ clustering }}_distance,
        {{ clustering }}.confidence as {{ clustering }}_confidence,
        coalesce({{ clustering }}.status, 'no_purchases') as {{ clustering }}_status,
        {% endfor %}
        features.n_orders > 0 as has_bought
    from features
    {% for clustering in ['behaviour', 'needs'] %}
    left join named as {{ clustering }} on
        {{ clustering }}.clustering = '{{ clustering }}'
        and features.customer_id = {{ clustering }}.customer_id
        and features.as_of_date = {{ clustering }}.as_of_date
    {% endfor %}
)

select * from wide
