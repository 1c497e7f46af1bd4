"""How good identity resolution is, where the truth is known."""


def model(dbt, session):
    dbt.config(materialized="table", schema="intermediate")
    from crm_mining.evaluation.truth import find_truth
    from crm_mining.identity.evaluation import evaluate_identity

    return evaluate_identity(
        dbt.ref("int_customer_sources").project("record_id, source_table, source_key, customer_id"),
        dbt.ref("int_person_records_cleaned").project("record_id, email, phone, mobile"),
        find_truth(
            raw_root=dbt.config.meta_get("raw_root"), truth=dbt.config.meta_get("truth_location"), name="record_persons"
        ),
    )
