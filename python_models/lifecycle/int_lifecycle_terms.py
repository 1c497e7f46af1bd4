"""The fit behind customer_lifecycle, kept until a refit is asked for."""


def model(dbt, session):
    dbt.config(materialized="incremental", incremental_strategy="delete+insert", unique_key="as_of_date")
    from crm_mining.lifecycle.tables import fit_from_tables

    return fit_from_tables(
        dbt.ref("int_customer_months"),
        session.sql(f"select distinct as_of_date from {dbt.this}") if dbt.is_incremental else None,
        refit=dbt.config.meta_get("refit"),
        n_states=dbt.config.meta_get("n_states"),
        sample_customers=int(dbt.config.meta_get("sample_customers")),
    )
