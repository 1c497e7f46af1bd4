"""Every phone number as written, in E.164."""


def model(dbt, session):
    dbt.config(materialized="table")
    from crm_mining.cleaning.phones import parse_phones

    return parse_phones(dbt.ref("int_phone_numbers").order("phone_text, country"))
