"""What each customer is expected to buy, by the stored fits."""


def model(dbt, session):
    dbt.config(materialized="table", schema="intermediate")
    from crm_mining.value.tables import score_from_tables

    return score_from_tables(dbt.ref("int_customer_purchases"), dbt.ref("int_value_terms"))
