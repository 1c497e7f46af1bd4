"""The faults that a synthetic world knows it has; empty where nobody knows the truth."""


def model(dbt, session):
    dbt.config(materialized="table", schema="intermediate")
    from crm_mining.evaluation.truth import find_truth
    from crm_mining.reporting.fault_report import read_faults

    return read_faults(
        find_truth(raw_root=dbt.config.meta_get("raw_root"), truth=dbt.config.meta_get("truth_location"), name="faults")
    )
