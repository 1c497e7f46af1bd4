with classes as (
    select * from {{ ref('pii_classes') }}
),

declared as (
    select
        declarations.table_name,
        declarations.column_name,
        declarations.pii_class,
        declarations.masking
    from (
        values
        {{ declared_pii() }}
    ) as declarations (table_name, column_name, pii_class, masking)
),

-- A class missing from the seed has no masking, and the test of `masking` fails.
joined as (
    select
        declared.table_name::varchar as table_name,
        declared.column_name::varchar as column_name,
        declared.pii_class::varchar as pii_class,
        coalesce(declared.masking, classes.masking)::varchar as masking
    from declared
    left join classes on declared.pii_class = classes.pii_class
)

select * from joined
