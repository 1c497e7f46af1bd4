"""What a message of each channel would do to each customer today."""


def model(dbt, session):
    dbt.config(materialized="table")
    from crm_mining.campaigns.uplift import score_from_tables

    return score_from_tables(dbt.ref("int_uplift_features"))
