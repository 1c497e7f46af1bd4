"""Orders that stand out by the combination of their measures."""


def model(dbt, session):
    dbt.config(materialized="table", schema="intermediate")
    from crm_mining.cleaning.outliers import isolated_rows

    return isolated_rows(
        dbt.ref("int_order_measures").project("* exclude (customer_id, net_amount)"),
        spreads=dbt.config.meta_get("spreads"),
        sample_rows=dbt.config.meta_get("sample_rows"),
    )
