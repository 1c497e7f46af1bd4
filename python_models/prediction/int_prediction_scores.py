"""What is predicted of each customer, by the stored fits."""


def model(dbt, session):
    dbt.config(materialized="table", schema="intermediate")
    from crm_mining.prediction.tables import score_from_tables

    return score_from_tables(
        dbt.ref("int_customer_features"),
        dbt.ref("int_prediction_fits"),
        dbt.ref("prediction_targets"),
        dbt.ref("feature_labels"),
    )
