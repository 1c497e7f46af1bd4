{%- do reads_raw_tables() %}
{# A table's content is the hash of its rows in any order. #}
with horizon as (
    select * from {{ ref('int_event_horizon') }}
),

contents as (
    select
        '' as source_table,
        0::bigint as n_rows,
        0::hugeint as content_hash
    {% for table in quality_tables() %}
    union all
    select
        '{{ table.identifier }}' as source_table,
        count(*) as n_rows,
        coalesce(sum(content_hash::hugeint), 0) as content_hash
    from {{ quality_staged(table) }}
    {% endfor %}
),

hashed as (
    select
        sum(n_rows)::bigint as n_raw_rows,
        substr(md5(string_agg(source_table || ' ' || n_rows || ' ' || content_hash, ', ' order by source_table)), 1, 12) as content_hash
    from contents
),

identified as (
    select
        horizon.as_of_date || '-' || hashed.content_hash as run_id,
        horizon.as_of_date,
        hashed.n_raw_rows
    from hashed
    cross join horizon
)

select * from identified
