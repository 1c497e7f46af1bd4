"""What goes with what: the rules of the frequent itemsets, tested and looked at in later baskets."""


def model(dbt, session):
    dbt.config(materialized="table", schema="intermediate")
    from crm_mining.baskets.rules import rules_from_tables

    return rules_from_tables(dbt.ref("int_frequent_itemsets"), dbt.ref("int_basket_items"), dbt.ref("int_rule_sets"))
