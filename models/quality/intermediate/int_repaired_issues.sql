with repairs as (
    select * from {{ ref('dq_repairs') }}
),

rules as (
    select * from {{ ref('issue_rules') }}
    where repair_rule is not null
),

-- Several rules may have changed one value; each is an issue of its own.
single as (
    select
        * exclude (rule),
        unnest(string_split(rule, ' + ')) as repair_rule
    from repairs
),

issues as (
    select
        single.source_table,
        single.source_key,
        single.column_name,
        rules.rule,
        single.old_value as value,
        rules.expected,
        single.new_value as repair
    from single
    inner join rules
        on rules.repair_rule = single.repair_rule and coalesce(rules.column_name, single.column_name) = single.column_name
)

select * from issues
