"""Each customer's segments at each as-of date, by the stored centroids."""


def model(dbt, session):
    dbt.config(materialized="table", schema="intermediate")
    from crm_mining.segments.tables import assign_from_tables

    return assign_from_tables(dbt.ref("int_segment_inputs"), dbt.ref("int_segment_terms"))
