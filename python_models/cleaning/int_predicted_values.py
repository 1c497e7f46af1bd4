"""The gaps of the columns for which a model on the record's other columns errs least."""


def model(dbt, session):
    dbt.config(materialized="table")
    from crm_mining.cleaning.imputation import predict_gaps

    return predict_gaps(
        dbt.ref("int_imputation_records"),
        dbt.ref("int_imputation_choices"),
        sample_rows=dbt.config.meta_get("sample_rows"),
    )
