"""What SQL lacks in a dbt-duckdb build: lock, encrypted file, pseudonyms, PostgreSQL, publishing by a rename."""

import atexit
import contextlib
import os
from pathlib import Path
from typing import Any

import duckdb
from dbt.adapters.duckdb.plugins import BasePlugin
from dbt.adapters.duckdb.utils import TargetConfig
from dbt_common.events.base_types import EventLevel
from dbt_common.events.functions import fire_event
from dbt_common.events.types import Note
from duckdb_extensions import import_extension

from crm_mining.common.threads import keep_one_thread
from crm_mining.warehouse import connection, erasure, keys, lock, masking, publish

POSTGRES_VARIABLE = "CRM_RAW_POSTGRES"
ALIAS = "raw_postgres"


def say(message: str) -> None:
    """Tell console and log."""
    fire_event(Note(msg=message), EventLevel.INFO)


class Plugin(BasePlugin):
    """The connection of a build.

    Its configuration in profiles.yml: ``warehouse`` (the file), ``encrypted`` (whether it is, the target `secure`) and
    ``when_locked``. Keys come from the environment (:mod:`crm_mining.warehouse.keys`); they pass through neither dbt
    nor its logs.
    """

    def initialize(self, plugin_config: dict[str, Any]) -> None:
        """Keep the configuration."""
        keep_one_thread()
        self.warehouse = Path(plugin_config["warehouse"])
        self.encrypted = str(plugin_config.get("encrypted", False)).lower() == "true"
        self.when_locked = str(plugin_config.get("when_locked", "wait"))
        self.erasure_requests = Path(plugin_config["erasure_requests"])
        self.forgotten: list[str] = []
        self.lock = lock.Lock(self.warehouse)

    def update_connection_config(self, creds: Any, config: dict[str, Any]) -> None:
        """Before DuckDB opens anything: take the lock until the process ends, refuse a file that does not fit."""
        self.lock.acquire(self.when_locked, say)
        if self.encrypted:
            keys.needed(keys.WAREHOUSE_KEY, "the target `secure`")
        elif self.warehouse.is_file() and connection.is_encrypted(self.warehouse):
            raise keys.KeyRefusedError(
                f"{self.warehouse} is encrypted; build it with CRM_TARGET=secure (dbt: --target secure)"
            )
        self.forgotten = erasure.before_build(
            self.warehouse, erasure.requests(self.erasure_requests), publish.default_folder(self.warehouse),
            keys.from_environment(keys.WAREHOUSE_KEY) if self.encrypted else None, say,
        )  # fmt: skip

    def configure_connection(self, conn: duckdb.DuckDBPyConnection) -> None:
        """Once per process: attach what is to be attached, then shut the network; files follow after landing."""
        self.connection = conn
        # What can fail for reasons outside comes first: dbt tries again, and must find nothing attached then.
        self._attach_postgres(conn)
        if self.encrypted or keys.from_environment(keys.PUBLISH_KEY):
            connection.load_encryption(conn)
        if self.encrypted:
            connection.attach(
                conn, self.warehouse, connection.CATALOG, keys.needed(keys.WAREHOUSE_KEY, "the target `secure`")
            )
            conn.execute(f"set temp_directory = {connection.literal(self.warehouse.with_suffix('.tmp'))}")
            conn.execute("set temp_file_encryption = true")
            atexit.register(self._settle)
        conn.execute("set global TimeZone = 'UTC'")
        connection.shut_network(conn)

    def configure_cursor(self, cursor: Any) -> None:
        """Before each model: the catalog, and the pseudonyms."""
        if self.encrypted:
            # dbt puts what a Python model adds to an incremental table into the memory first.
            cursor.execute(f"set search_path = '{connection.CATALOG}.main,memory.main'")
        masking.prepare(cursor)
        cursor.execute("set variable crm_forgotten = ?", [self.forgotten])

    def store(self, target_config: TargetConfig) -> None:
        """Do what a macro asks for: shut files (`shut_files`, when the raw tables have been landed), or publish."""
        options = target_config.config
        if options["do"] == "shut":
            seeds = Path(options["project"]) / "seeds"
            connection.shut(self.connection, seeds, publish.default_folder(self.warehouse))
        else:
            self._publish(options)

    def _publish(self, options: dict[str, Any]) -> None:
        run = publish.Run(options["run_id"], options["started_at"], publish.git_commit(Path(options["project"])))
        cursor = self.connection.cursor()
        try:
            self.configure_cursor(cursor)
            publish.publish(
                cursor, publish.default_folder(self.warehouse), options["tables"], run,
                keep=int(options["keep"]), in_clear=bool(options["in_clear"]), say=say,
            )  # fmt: skip
        finally:
            cursor.close()

    def _settle(self) -> None:
        """Bring the write-ahead log into the encrypted file: dbt leaves this connection open when it ends."""
        with contextlib.suppress(duckdb.Error):
            self.connection.execute(f"checkpoint {connection.CATALOG}")

    def _attach_postgres(self, conn: duckdb.DuckDBPyConnection) -> None:
        """Attach the database that ``CRM_RAW_POSTGRES`` names, read-only, as ``raw_postgres``.

        The variable holds a libpq connection string without the password (``dbname=crm host=db user=reader``); libpq
        reads ``PGPASSWORD`` or ``~/.pgpass`` by itself, so no secret passes through dbt, its logs or ``target/``. The
        extension comes from the Python package ``duckdb-extension-postgres-scanner``, so nothing is downloaded.
        """
        connection_string = os.environ.get(POSTGRES_VARIABLE, "")
        if not connection_string:
            return
        if "password" in connection_string.lower():
            raise ValueError(f"{POSTGRES_VARIABLE} must not hold a password; set PGPASSWORD or use ~/.pgpass")
        import_extension("postgres_scanner", con=conn)
        conn.execute("load postgres_scanner")
        conn.execute(f"attach {connection.literal(connection_string)} as {ALIAS} (type postgres, read_only)")
