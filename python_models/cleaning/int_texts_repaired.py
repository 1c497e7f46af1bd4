"""Texts that were decoded with the wrong character set, put right."""


def model(dbt, session):
    dbt.config(materialized="table")
    from crm_mining.cleaning.text_repair import repair_encoding

    suspicious = dbt.ref("int_suspicious_texts").order("source_table, source_key, column_name").df()
    return repair_encoding(suspicious)
