"""Each customer's state in each month, by the stored fit."""


def model(dbt, session):
    dbt.config(materialized="table", schema="intermediate")
    from crm_mining.lifecycle.tables import decode_from_tables

    return decode_from_tables(dbt.ref("int_customer_months"), dbt.ref("int_lifecycle_terms"))
