"""The weight of each level of each comparison as evidence for one person, learned from the data."""


def model(dbt, session):
    dbt.config(materialized="table")
    from crm_mining.identity.tables import fit_from_tables

    return fit_from_tables(
        dbt.ref("int_pair_patterns"),
        dbt.ref("int_match_attributes"),
        dbt.ref("match_attributes"),
        dbt.ref("match_weight_overrides"),
    )
