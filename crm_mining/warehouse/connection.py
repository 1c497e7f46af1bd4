"""The warehouse file: encrypted where there is a key, opened to read in one way, shut off from files and network."""

import os
from pathlib import Path

import duckdb
from duckdb_extensions import import_extension

from crm_mining.warehouse import keys

#: The catalog's name, in which the views of the warehouse name their tables.
CATALOG = "warehouse"
#: Tables that no build can make again from raw data: what was decided, measured, fitted or published on earlier days.
IRREPLACEABLE = {
    "marts.customer_merges": "identity events",
    "marts.dq_runs": "quality history",
    "marts.dq_scores": "quality history",
    "marts.dq_profiles": "quality history",
    "marts.dq_distributions": "quality history",
    "marts.dq_test_results": "test history",
    "intermediate.int_value_terms": "stored fits",
    "intermediate.int_lifecycle_terms": "stored fits",
    "intermediate.int_segment_terms": "stored fits",
    "intermediate.int_prediction_fits": "stored fits",
    "intermediate.int_forecast_candidates": "stored fits",
    "operations.publish_log": "what was published",
}


def load_encryption(con: duckdb.DuckDBPyConnection) -> None:
    """Load OpenSSL, without which DuckDB writes no encrypted file; from the Python package, not from a network."""
    import_extension("httpfs", con=con)
    con.execute("load httpfs")


def sync_folder(folder: Path) -> None:
    """Bring a folder's list of files to the disk: a rename in it holds from then on, whatever happens."""
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def literal(path: Path | str) -> str:
    """Give a path as SQL literal."""
    return "'" + str(path).replace("'", "''") + "'"


def is_encrypted(file: Path) -> bool:
    """Tell whether a DuckDB file is encrypted, by asking DuckDB to open it without a key."""
    try:
        with duckdb.connect() as con:
            con.execute(f"attach {literal(file)} as asked (read_only)")
    except duckdb.Error as error:
        return "without a key" in str(error)
    return False


def attach(
    con: duckdb.DuckDBPyConnection, file: Path, alias: str, key: str | None = None, *, read_only: bool = False
) -> None:
    """Attach a DuckDB file, with a key as an encrypted one (AES-256-GCM).

    Parameters
    ----------
    con : DuckDBPyConnection
        Where to.
    file : Path
        Made when it is not there, unless it is to be read only.
    alias : str
        A name from the code, never from data.
    key : str, optional
        It reaches DuckDB as a session variable that is emptied again, so no statement or log holds it.
    read_only : bool
        Refuse writes.

    Raises
    ------
    KeyRefusedError
        When the file is encrypted and the key is missing or wrong, or a key is given and the file is not encrypted.
    """
    options = (["encryption_key getvariable('crm_attach_key')"] if key else []) + (["read_only"] if read_only else [])
    con.execute("set variable crm_attach_key = ?", [key])
    try:
        con.execute(f"attach {literal(file)} as {alias}" + (f" ({', '.join(options)})" if options else ""))
    except duckdb.Error as error:
        if "without a key" in str(error):
            raise keys.KeyRefusedError(f"{file} is encrypted, and no key was given") from None
        if "Wrong encryption key" in str(error):
            raise keys.KeyRefusedError(f"{file} was not encrypted with this key") from None
        if "is not encrypted" in str(error):
            raise keys.KeyRefusedError(f"{file} is not encrypted, although a key is set for it") from None
        raise
    finally:
        con.execute("set variable crm_attach_key = null")


def attach_to_read(con: duckdb.DuckDBPyConnection, file: Path) -> None:
    """Attach a warehouse as ``warehouse``, read-only, encrypted or not; see :func:`connect` for what is raised."""
    if not file.is_file():
        raise FileNotFoundError(f"no warehouse at {file}; run `make build` first")
    key = keys.needed(keys.WAREHOUSE_KEY, f"the encrypted {file}") if is_encrypted(file) else None
    attach(con, file, CATALOG, key, read_only=True)


def shut_network(con: duckdb.DuckDBPyConnection) -> None:
    """Let the connection of a build fetch nothing and install nothing from here on."""
    con.execute("set autoinstall_known_extensions = false")
    con.execute("set autoload_known_extensions = false")
    con.execute("set allow_community_extensions = false")
    con.execute("set extension_directory = '/dev/null/none'")
    con.execute("set disabled_filesystems = 'HTTPFileSystem,S3FileSystem,HuggingFaceFileSystem'")


def shut(con: duckdb.DuckDBPyConnection, *folders: Path) -> None:
    """Let a connection reach no other file, network or extension from here on, and lock that.

    Parameters
    ----------
    con : DuckDBPyConnection
        With everything attached that it needs.
    folders : Path
        Those that it may still read and write.
    """
    if folders:
        places = ", ".join(literal(folder.resolve()) for folder in folders)
        con.execute(f"set global allowed_directories = [{places}]")
    con.execute("set global enable_external_access = false")
    con.execute("set global lock_configuration = true")


def connect(file: Path, writable: Path | None = None) -> duckdb.DuckDBPyConnection:
    """Open a warehouse or a published file to read, encrypted or not, as every tool of this project does.

    Parameters
    ----------
    file : Path
        A warehouse. The key of an encrypted one is in ``CRM_WAREHOUSE_KEY``.
    writable : Path, optional
        A folder for what is written.

    Returns
    -------
    DuckDBPyConnection
        In which the file's schemas are found without a prefix (``marts.dim_customers``). It reaches no other file and
        no network.

    Raises
    ------
    FileNotFoundError
        When there is no such file.
    KeyRefusedError
        When the key is missing or wrong.
    """
    con = duckdb.connect()
    try:
        attach_to_read(con, file)
        con.execute(f"use {CATALOG}")
        shut(con, *([writable] if writable else []))
    except BaseException:
        con.close()
        raise
    return con
