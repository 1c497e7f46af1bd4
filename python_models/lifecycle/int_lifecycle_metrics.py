"""How good customer_lifecycle is, where the true states are known."""


def model(dbt, session):
    dbt.config(materialized="table", schema="intermediate")
    from crm_mining.evaluation.truth import find_truth
    from crm_mining.lifecycle.evaluation import evaluate_lifecycle

    places = {"raw_root": dbt.config.meta_get("raw_root"), "truth": dbt.config.meta_get("truth_location")}
    truth = ("record_persons", "person_states", "state_transitions")
    return evaluate_lifecycle(
        dbt.ref("int_lifecycle_states"),
        dbt.ref("int_customer_months"),
        dbt.ref("int_lifecycle_terms"),
        dbt.ref("int_customer_sources").project("source_table, source_key, customer_id"),
        **{name: find_truth(**places, name=name) for name in truth},
    )
