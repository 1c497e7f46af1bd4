"""What a dbt-duckdb connection needs before the first statement: PostgreSQL as a place that raw data comes from."""

import os

import duckdb
from dbt.adapters.duckdb.plugins import BasePlugin
from duckdb_extensions import import_extension

POSTGRES_VARIABLE = "CRM_RAW_POSTGRES"
ALIAS = "raw_postgres"


class Plugin(BasePlugin):
    """Attach the database that ``CRM_RAW_POSTGRES`` names, read-only, as ``raw_postgres``.

    The variable holds a libpq connection string without the password (``dbname=crm host=db user=reader``); libpq reads
    ``PGPASSWORD`` or ``~/.pgpass`` by itself, so no secret passes through dbt, its logs or ``target/``. The extension
    comes from the Python package ``duckdb-extension-postgres-scanner``, so nothing is downloaded.
    """

    def configure_connection(self, conn: duckdb.DuckDBPyConnection) -> None:
        """Attach the database once per process; without the variable do nothing."""
        connection_string = os.environ.get(POSTGRES_VARIABLE, "")
        if not connection_string:
            return
        if "password" in connection_string.lower():
            raise ValueError(f"{POSTGRES_VARIABLE} must not hold a password; set PGPASSWORD or use ~/.pgpass")
        import_extension("postgres_scanner", con=conn)
        conn.execute("load postgres_scanner")
        literal = connection_string.replace("'", "''")
        conn.execute(f"attach '{literal}' as {ALIAS} (type postgres, read_only)")
