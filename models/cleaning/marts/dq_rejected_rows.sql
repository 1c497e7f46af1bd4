with rejected as (
    select * from {{ ref('int_rejected_rows') }}
),

-- A number distinguishes rows without a key and copies of one key.
numbered as (
    select
        source_table,
        split_part(source_table, '.', 1) as source,
        source_key,
        row_number() over (partition by source_table, source_key order by rejection_reasons, raw_record) as rejection_number,
        rejection_reasons,
        raw_record
    from rejected
)

select * from numbered
