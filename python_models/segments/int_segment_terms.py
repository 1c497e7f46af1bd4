"""The centroids of segment_terms, as-of date after as-of date, kept until a refit is asked for."""


def model(dbt, session):
    dbt.config(
        materialized="incremental", incremental_strategy="delete+insert", unique_key=["clustering", "as_of_date"]
    )
    from crm_mining.segments.tables import fit_from_tables

    return fit_from_tables(
        dbt.ref("int_segment_inputs"),
        dbt.ref("segment_features"),
        session.sql(f"select * from {dbt.this}") if dbt.is_incremental else None,
        refit=dbt.config.meta_get("refit"),
        k_range=dbt.config.meta_get("segment_range"),
        min_stability=float(dbt.config.meta_get("min_stability")),
        sample_customers=int(dbt.config.meta_get("sample_customers")),
    )
