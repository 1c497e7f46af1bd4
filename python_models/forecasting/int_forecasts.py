"""The shipped forecasts beside their ingredients and baselines, today and in the back-tests."""


def model(dbt, session):
    dbt.config(materialized="table")
    from crm_mining.forecasting.tables import forecasts_from_tables

    return forecasts_from_tables(
        dbt.ref("int_measure_series"),
        dbt.ref("int_forecast_candidates"),
        horizons=dbt.config.meta_get("horizons"),
    )
