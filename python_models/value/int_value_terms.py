"""The fits behind customer_value, one for each as-of date, kept until a refit is asked for."""


def model(dbt, session):
    dbt.config(materialized="incremental", incremental_strategy="delete+insert", unique_key="as_of_date")
    from crm_mining.value.tables import fit_from_tables

    return fit_from_tables(
        dbt.ref("int_customer_purchases"),
        session.sql(f"select distinct as_of_date from {dbt.this}") if dbt.is_incremental else None,
        refit=dbt.config.meta_get("refit"),
    )
