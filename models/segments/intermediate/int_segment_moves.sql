with members as (
    select * from {{ ref('int_segment_members') }}
),

moves as (
    select
        clustering,
        customer_id,
        as_of_date,
        segment as to_segment,
        lag(as_of_date) over (partition by clustering, customer_id order by as_of_date) as from_as_of_date,
        lag(segment) over (partition by clustering, customer_id order by as_of_date) as from_segment
    from members
    qualify from_segment is not null
)

select * from moves
