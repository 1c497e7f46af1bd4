with rejected as (
    select * from {{ ref('int_rejected_rows') }}
),

-- Rows without a key, and the copies of one key, are told apart by a number.
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
