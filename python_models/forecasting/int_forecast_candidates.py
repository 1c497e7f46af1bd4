"""What each model forecasts for each series, today and at the cut-offs of its back-test; kept from build to build."""


def model(dbt, session):
    dbt.config(
        materialized="incremental", incremental_strategy="delete+insert", unique_key=["series_id", "cutoff_date"]
    )
    from crm_mining.forecasting.tables import candidates_from_tables

    return candidates_from_tables(
        dbt.ref("int_measure_series"),
        session.sql(f"select * from {dbt.this}") if dbt.is_incremental else None,
        dbt.ref("int_forecast_calendar"),
        horizons=dbt.config.meta_get("horizons"),
        refit=dbt.config.meta_get("refit"),
        workers=int(dbt.config.meta_get("processes")),
    )
