"""Estimated effects of messages compared with control groups and, where it is known, the truth."""


def model(dbt, session):
    dbt.config(materialized="table")
    from crm_mining.campaigns.uplift import evaluate_uplift
    from crm_mining.evaluation.truth import find_truth

    places = {"raw_root": dbt.config.meta_get("raw_root"), "truth": dbt.config.meta_get("truth_location")}
    return evaluate_uplift(
        dbt.ref("int_uplift_features"),
        dbt.ref("int_customer_sources").project("source_table, source_key, customer_id"),
        record_persons=find_truth(**places, name="record_persons"),
        persons=find_truth(**places, name="persons"),
        effects=find_truth(**places, name="campaign_effects"),
    )
