"""Keys come from the environment and go to DuckDB as session variables: never into SQL text, logs or a table."""

import hashlib
import hmac
import os

import duckdb

#: Key of the pseudonyms in published marts, exports and hashed contacts.
PII_KEY = "CRM_PII_KEY"
#: Key of the warehouse file itself, in the profile target `secure`.
WAREHOUSE_KEY = "CRM_WAREHOUSE_KEY"
#: Key of the published file that holds persons in clear (var `publish_pii`).
PUBLISH_KEY = "CRM_PUBLISH_KEY"
#: Key that backups are encrypted and their manifests signed with.
BACKUP_KEY = "CRM_BACKUP_KEY"
SHORTEST_KEY = 32
_BLOCK = 64


class KeyRefusedError(ValueError):
    """A key is missing, too short, or not the one that a file was written with."""


def from_environment(name: str) -> str | None:
    """Read a key.

    Parameters
    ----------
    name : str
        The environment variable.

    Returns
    -------
    str or None
        The key; None where the variable is not set or empty.

    Raises
    ------
    KeyRefusedError
        When it is shorter than ``SHORTEST_KEY`` characters. The message never holds the key.
    """
    key = os.environ.get(name, "").strip()
    if not key:
        return None
    if len(key) < SHORTEST_KEY:
        raise KeyRefusedError(
            f"{name} has {len(key)} characters; at least {SHORTEST_KEY} are needed: {name}=$(openssl rand -hex 32)"
        )
    return key


def needed(name: str, what_for: str) -> str:
    """Read a key that can't be done without; its lack is an error that says what it is for and how to make one."""
    key = from_environment(name)
    if key is None:
        raise KeyRefusedError(f"{name} is not set: {what_for} needs a key, for instance {name}=$(openssl rand -hex 32)")
    return key


def derived(key: str, purpose: str) -> bytes:
    """Derive a 32-byte key for one purpose (HMAC-SHA-256 as a key derivation function, NIST SP 800-108)."""
    return hmac.new(key.encode(), purpose.encode(), hashlib.sha256).digest()


def pseudonym(key: str, value: str) -> str:
    """Give the keyed pseudonym of a value, as the SQL macro ``crm_pseudonym`` does.

    Examples
    --------
    >>> pseudonym("k" * 32, "an.na@x.de")[:8]
    '469d22df'
    """
    return hmac.new(key.encode(), value.encode(), hashlib.sha256).hexdigest()


def install_pseudonyms(cursor: duckdb.DuckDBPyConnection, key: str | None) -> None:
    """Give a connection ``crm_pseudonym(text)``: HMAC-SHA-256 in hexadecimal digits; null for all without a key.

    Parameters
    ----------
    cursor : DuckDBPyConnection
        The macro is temporary and the padded keys are session variables, so nothing of them is stored. A table may be
        made with it, a view may not: its reader would lack both.
    key : str or None
        The key; None where there is none.

    Notes
    -----
    RFC 2104: H(outer key, H(inner key, text)), where both keys are the key padded to the block of 64 bytes. DuckDB has
    SHA-256 but no HMAC, so the two padded keys are worked out here.
    """
    inner, outer = (None, None) if key is None else _padded(key)
    cursor.execute("set variable crm_inner_key = ?::blob", [inner])
    cursor.execute("set variable crm_outer_key = ?::blob", [outer])
    cursor.execute(
        "create or replace temp macro crm_pseudonym(value) as sha256(getvariable('crm_outer_key')::blob "
        "|| unhex(sha256(getvariable('crm_inner_key')::blob || encode(value))))"
    )


def _padded(key: str) -> tuple[bytes, bytes]:
    block = key.encode() if len(key.encode()) <= _BLOCK else hashlib.sha256(key.encode()).digest()
    block = block.ljust(_BLOCK, b"\0")
    return bytes(byte ^ 0x36 for byte in block), bytes(byte ^ 0x5C for byte in block)
