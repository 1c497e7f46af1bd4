"""What comes next: the rules of the paths of each path set."""


def model(dbt, session):
    dbt.config(materialized="table", schema="intermediate")
    from crm_mining.baskets.paths import paths_from_tables

    return paths_from_tables(dbt.ref("int_path_events"), dbt.ref("int_path_sets"))
