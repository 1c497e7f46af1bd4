"""Which records are one customer: connected, then judged as a whole."""


def model(dbt, session):
    dbt.config(materialized="table")
    from crm_mining.identity.tables import resolve

    return resolve(
        dbt.ref("int_person_records_cleaned").project("record_id, created_at, birth_date"),
        dbt.ref("int_pair_scores").project("record_a, record_b, match_probability"),
        dbt.ref("int_match_weights").project("attribute, level, m"),
        dbt.ref("identity_overrides").project("record_a, record_b, decision"),
        threshold=dbt.config.meta_get("match_threshold"),
        cohesion=dbt.config.meta_get("cluster_cohesion"),
        max_birth_date_errors=dbt.config.meta_get("max_birth_date_errors"),
    )
