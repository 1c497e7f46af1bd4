"""Estimated effects of messages compared with control groups and, where it is known, the truth."""


def model(dbt, session):
    dbt.config(materialized="table")
    from crm_mining.identity_evaluation import find_truth
    from crm_mining.uplift import evaluate_uplift

    places = {"raw_root": dbt.config.meta_get("raw_root"), "truth": dbt.config.meta_get("truth_location")}
    return evaluate_uplift(
        dbt.ref("int_uplift_features"),
        dbt.ref("int_customer_sources").project("source_table, source_key, customer_id"),
        record_persons=find_truth(**places, name="record_persons"),
        persons=find_truth(**places, name="persons"),
        effects=find_truth(**places, name="campaign_effects"),
    )
