with source as (
    select * from {{ source('landing', 'landed_columns') }}
),

-- A table that came in several files has each column once: present when any file had it.
renamed as (
    select
        source_table,
        column_name,
        bool_or(is_required) as is_required,
        bool_or(is_present) as is_present,
        bool_or(is_known) as is_known
    from source
    group by source_table, column_name
)

select * from renamed
