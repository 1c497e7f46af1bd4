"""How stable the segments are and, where the truth is known, how well needs are recognised."""


def model(dbt, session):
    dbt.config(materialized="table", schema="intermediate")
    from crm_mining.evaluation.truth import find_truth
    from crm_mining.segments.evaluation import evaluate_segments

    places = {"raw_root": dbt.config.meta_get("raw_root"), "truth": dbt.config.meta_get("truth_location")}
    return evaluate_segments(
        dbt.ref("int_segment_inputs"),
        dbt.ref("int_segment_terms"),
        dbt.ref("int_customer_sources").project("source_table, source_key, customer_id"),
        **{name: find_truth(**places, name=name) for name in ("record_persons", "persons")},
    )
