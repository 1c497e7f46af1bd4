"""How likely each candidate is bought, learned from the windows before."""


def model(dbt, session):
    dbt.config(materialized="table")
    from crm_mining.recommendation.ranker import score_from_tables

    return score_from_tables(
        dbt.ref("int_offer_features"),
        may_be_owned=str(dbt.config.meta_get("offer_owned_products")).lower() == "true",
    )
