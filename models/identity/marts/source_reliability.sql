with agreement as (
    select * from {{ ref('int_source_agreement') }}
),

judged as (
    select
        source,
        attribute,
        n_compared,
        n_agreeing,
        {{ reliability('n_agreeing', 'n_compared') }} as reliability
    from agreement
)

select * from judged
