"""The fits of all predicted targets, kept until a window has closed that they don't know."""


def model(dbt, session):
    dbt.config(materialized="incremental", incremental_strategy="delete+insert", unique_key="fitted_as_of_date")
    from crm_mining.prediction.tables import fit_from_tables

    return fit_from_tables(
        dbt.ref("int_customer_features"),
        dbt.ref("int_customer_labels"),
        dbt.ref("prediction_targets"),
        dbt.ref("feature_labels"),
        session.sql(f"select distinct fitted_as_of_date from {dbt.this}") if dbt.is_incremental else None,
        refit=dbt.config.meta_get("refit"),
        max_rows=dbt.config.meta_get("max_rows"),
    )
