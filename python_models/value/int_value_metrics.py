"""How good customer_value was at earlier as-of dates and, where the truth is known, who was still a customer."""


def model(dbt, session):
    dbt.config(materialized="table", schema="intermediate")
    from crm_mining.evaluation.truth import find_truth
    from crm_mining.value.evaluation import evaluate_value

    places = {"raw_root": dbt.config.meta_get("raw_root"), "truth": dbt.config.meta_get("truth_location")}
    return evaluate_value(
        dbt.ref("int_value_scores"),
        dbt.ref("int_customer_purchases"),
        dbt.ref("int_customer_labels"),
        dbt.ref("int_customer_sources").project("source_table, source_key, customer_id"),
        record_persons=find_truth(**places, name="record_persons"),
        persons=find_truth(**places, name="persons"),
    )
