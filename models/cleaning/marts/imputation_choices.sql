with measured as (
    select * from {{ ref('int_imputation_choices') }}
),

choices as (
    select
        table_name,
        column_name,
        masking,
        policy,
        group_by,
        metric,
        n_gaps,
        n_cells,
        error,
        standard_error,
        rmse,
        n_held_out,
        held_out_error,
        held_out_difference,
        held_out_difference_error,
        is_simple,
        is_best,
        is_chosen,
        is_auto
    from measured
)

select * from choices
