with landed as (
    select * from {{ ref('stg_landing__columns') }}
),

judged as (
    select
        source_table,
        column_name,
        is_required,
        is_present,
        is_known,
        case when not is_known then 'left_out' when is_present then 'used' else 'absent' end as treatment
    from landed
)

select * from judged
