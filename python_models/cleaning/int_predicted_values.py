"""The gaps of those columns whose values a model tells best from the others of the record."""


def model(dbt, session):
    dbt.config(materialized="table")
    from crm_mining.cleaning.imputation import predict_gaps

    return predict_gaps(
        dbt.ref("int_imputation_records"),
        dbt.ref("int_imputation_choices"),
        sample_rows=dbt.config.meta_get("sample_rows"),
    )
