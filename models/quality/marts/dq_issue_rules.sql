with rules as (
    select * from {{ ref('issue_rules') }}
),

issues as (
    select * from {{ ref('dq_issues') }}
),

faults as (
    select * from {{ ref('int_known_faults') }}
),

truth as (
    select count(*) > 0 as is_known from faults
),

-- An issue is right when its value has a known fault, and one about a whole order when any value or line of the order has one.
judged as (
    select
        issues.*,
        exists (
            select 1 from faults
            where
                faults.source_table = issues.source_table and faults.source_key = issues.source_key
                and (faults.column_name = issues.column_name or issues.column_name in ('*', 'amount'))
        ) or (
            issues.source_table = 'shop.orders' and issues.column_name in ('*', 'amount') and exists (
                select 1 from faults
                where faults.source_table = 'shop.order_lines' and split_part(faults.source_key, '|', 1) = issues.source_key
            )
        ) as is_right
    from issues
),

of_rules as (
    select
        rule,
        count(*) as n_issues,
        count(*) filter (where is_repaired) as n_repaired,
        count(*) filter (where is_right) as n_right
    from judged
    group by rule
),

-- Faults of the kind that the rule is meant for, in its column and in rows that were not rejected for another reason.
of_faults as (
    select
        rules.rule,
        count(*) as n_faults,
        count(*) filter (where exists (
            select 1 from judged
            where
                judged.rule = rules.rule and judged.source_table = faults.source_table
                and judged.source_key = faults.source_key and judged.column_name = faults.column_name
        )) as n_found
    from rules
    inner join faults
        on faults.kind = rules.fault_kind and faults.column_name = coalesce(rules.column_name, faults.column_name)
    where not exists (
        select 1 from {{ ref('dq_rejected_rows') }} as rejected
        where rejected.source_table = faults.source_table and rejected.source_key = faults.source_key
    )
    group by rules.rule
),

measured as (
    select
        rules.rule,
        rules.severity,
        rules.description,
        coalesce(of_rules.n_issues, 0) as n_issues,
        coalesce(of_rules.n_repaired, 0) as n_repaired,
        case when truth.is_known then of_rules.n_right / of_rules.n_issues end as precision_share,
        of_faults.n_found / of_faults.n_faults as recall_share
    from rules
    cross join truth
    left join of_rules using (rule)
    left join of_faults using (rule)
)

select * from measured
