"""Recommendations compared with what customers bought in the last window."""


def model(dbt, session):
    dbt.config(materialized="table")
    from crm_mining.recommendation.evaluation import evaluate_recommendations

    return evaluate_recommendations(
        dbt.ref("int_offer_scores"), dbt.ref("int_offer_features"), dbt.ref("int_offer_outcomes")
    )
