"""The faults that a synthetic world knows it has; empty where nobody knows the truth."""


def model(dbt, session):
    dbt.config(materialized="table", schema="intermediate")
    from crm_mining.fault_report import read_faults
    from crm_mining.identity_evaluation import find_truth

    return read_faults(
        find_truth(raw_root=dbt.config.meta_get("raw_root"), truth=dbt.config.meta_get("truth_location"), name="faults")
    )
