"""Which products or categories are found in one basket, for each rule set."""


def model(dbt, session):
    dbt.config(materialized="table", schema="intermediate")
    from crm_mining.baskets.rules import itemsets_from_tables

    return itemsets_from_tables(dbt.ref("int_basket_items"), dbt.ref("int_rule_sets"))
