"""Which policy errs least on known cells that were hidden, for each column with gaps."""


def model(dbt, session):
    dbt.config(materialized="table")
    from crm_mining.cleaning.imputation import choose_policies

    return choose_policies(
        dbt.ref("int_imputation_records"),
        dbt.ref("imputation_policies"),
        sample_rows=dbt.config.meta_get("sample_rows"),
    )
