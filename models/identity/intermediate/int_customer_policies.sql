{%- set numbers = ['decimal(18, 4)', 'bigint'] -%}
with policies as (
    select * from {{ ref('fusion_policies') }}
),

expected as (
    {% for column, type in customer_attributes().items() %}
    select
        '{{ column }}' as column_name,
        '{{ column }}' as attribute,
        '{{ 'number' if type in numbers else 'text' if type == 'varchar' else type }}' as kind
    union all
    {% endfor %}
    {% for column in address_columns() %}
    select
        '{{ column }}' as column_name,
        'address' as attribute,
        'address' as kind
    {{ 'union all' if not loop.last }}
    {% endfor %}
),

matched as (
    select
        coalesce(expected.column_name, policies.column_name) as column_name,
        expected.attribute,
        expected.kind,
        policies.policy,
        count(distinct policies.policy) over (partition by expected.attribute) as n_policies
    from expected
    full join policies on policies.column_name = expected.column_name
),

-- A policy that can't be followed stops the build.
judged as (
    select
        attribute,
        policy,
        case
            when attribute is null then error('fusion_policies: ' || column_name || ' is no attribute of dim_customers')
            when policy is null then error('fusion_policies: ' || column_name || ' has no policy')
            when n_policies > 1 then error('fusion_policies: an address is taken whole, so ' || column_name || ' can''t have a policy of its own')
            when
                (policy in ('mean', 'weighted_average') and kind != 'number')
                or (policy = 'union' and kind != 'text')
                or (policy = 'longest' and kind not in ('text', 'address'))
                or policy not in ('most_trusted', 'most_recent', 'most_frequent', 'longest', 'union', 'mean', 'weighted_average')
                then error('fusion_policies: the policy ' || policy || ' does not fit ' || column_name || ', which is of the kind ' || kind)
            else kind
        end as kind
    from matched
),

distinct_policies as (
    select distinct
        attribute,
        policy,
        kind
    from judged
)

select * from distinct_policies
