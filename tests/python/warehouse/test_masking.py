"""What is personal says so, and leaves the warehouse masked."""

import csv
import json
import shutil
from datetime import date
from pathlib import Path

import duckdb
import numpy as np
import pytest
from conftest import PII_KEY, SAMPLE, Build

from crm_mining.warehouse import backup, connection, keys, masking, publish
from crm_mining.warehouse.export import export_marts

DECLARED = [
    ("marts.people", "name", "name", "pseudonym"),
    ("marts.people", "email", "email", "pseudonym"),
    ("marts.people", "born_on", "birth_date", "birth_year"),
    ("marts.people", "postcode", "address", "postcode_area"),
    ("marts.people", "street", "address", "dropped"),
    ("marts.people", "source_key", "key", "plain_key"),
    ("marts.people", "page", "free_text", "page_path"),
    ("marts.people", "income", "free_text", "pseudonym"),
    ("marts.dq_repairs", "old_value", "free_text", "source_value"),
    ("marts.dq_rejected_rows", "raw_record", "free_text", "source_record"),
    ("shop.customers", "email", "email", "pseudonym"),
]
#: What may stand in a field for names without being one.
NO_NAMES = ["-1+1", "=A1+2", "@SUM(1)", "(+1)", "$$$", "123"]


@pytest.fixture
def con() -> duckdb.DuckDBPyConnection:
    """Make a warehouse of three marts and what is declared of them."""
    con = duckdb.connect()
    keys.install_pseudonyms(con, PII_KEY)
    con.execute("create schema marts")
    con.execute(
        "create table marts.people as select 'Ann Lee' as name, ' Ann@X.de' as email, date '1980-05-17' as born_on, "
        "'80331' as postcode, 'Way 1' as street, unnest(['C12', 'ann@x.de']) as source_key, "
        "'/a?mail=ann@x.de' as page, 12.5 as income, 'web' as channel"
    )
    con.execute(
        "create table marts.pii_inventory (table_name varchar, column_name varchar, pii_class varchar, masking varchar)"
    )
    con.executemany("insert into marts.pii_inventory values (?, ?, ?, ?)", DECLARED)
    con.execute(
        "create table marts.dq_raw_columns as from (values ('shop.customers', 'email', true), "
        "('shop.customers', 'channel', true), ('shop.customers', 'unheard_of', false)) "
        "as t (source_table, column_name, is_known)"
    )
    con.execute(
        "create table marts.dq_repairs as from (values ('shop.customers', 'email', 'Ann1@x.de'), "
        "('shop.customers', 'channel', 'wbe'), ('shop.customers', 'unheard_of', 'Ann'), "
        "('shop.customers', null, 'Ann')) as t (source_table, column_name, old_value)"
    )
    con.execute(
        "create table marts.dq_rejected_rows as select 'shop.customers' as source_table, "
        """'{"email":"ann@x.de","channel":"web","unheard_of":null,"other":"Ann"}' as raw_record"""
    )
    return con


def test_each_masking_keeps_the_type_and_hides_the_person(con: duckdb.DuckDBPyConnection) -> None:
    rows = con.sql(masking.masked(con, "marts.people"))
    assert rows.types == con.table("marts.people").types
    person, other = rows.fetchall()
    hashed = keys.pseudonym(PII_KEY, "ann@x.de")
    assert person == (
        keys.pseudonym(PII_KEY, "ann lee"), hashed, date(1980, 1, 1), "80", None, "C12", "/a", None, "web",
    )  # fmt: skip
    assert other[5] == hashed


def test_values_are_shown_only_where_the_contract_knows_the_column_as_harmless(con: duckdb.DuckDBPyConnection) -> None:
    shown = con.sql(f"select old_value from ({masking.masked(con, 'marts.dq_repairs')})").fetchall()
    assert shown == [("Xxx9@x.xx",), ("wbe",), ("Xxx",), ("Xxx",)]
    record = con.sql(f"select raw_record from ({masking.masked(con, 'marts.dq_rejected_rows')})").fetchall()[0][0]
    assert json.loads(record) == {"email": "xxx@x.xx", "channel": "web", "other": "Xxx"}


def test_without_a_key_there_are_no_pseudonyms(con: duckdb.DuckDBPyConnection) -> None:
    keys.install_pseudonyms(con, None)
    assert con.sql(masking.masked(con, "marts.people")).fetchall()[0][:2] == (None, None)


def test_an_unknown_masking_and_a_short_key_are_errors(
    con: duckdb.DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ValueError, match="no masking `blur`; there are kept, pseudonym, "):
        masking.expression('"name"', "VARCHAR", "blur")
    monkeypatch.setenv(keys.PII_KEY, "short")
    with pytest.raises(keys.KeyRefusedError, match="has 5 characters; at least 32 are needed") as refused:
        masking.prepare(con)
    assert "short" not in str(refused.value).replace("shorter", "")


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (["web", None, "write to ann@x.de"], "e-mail addresses"),
        (["+49 89 123456"], "telephone numbers"),
        (["0171-1234567"], "telephone numbers"),
        (["Ann Lee", "Bob Ray", "Eve Lee", "Ann Ray", "Bob Lee", "Sofa"], "names"),
        (["C12", "2024-05-01", "00012345678", "1234567890", "+1", "O11869", "a@b"], None),
        (["Red Sofa", "Blue Sofa", "Lamp", "Ann", "Chair", "Table"], None),
        (["DE", "de", "De", "f", "F", "m", "x", "web"], None),
        (NO_NAMES, None),
    ],
)
def test_a_column_that_looks_personal_and_does_not_say_so_is_found(
    con: duckdb.DuckDBPyConnection, values: list[str], said: str | None
) -> None:
    con.execute("insert into marts.people (name) values ('Bob Ray'), ('Eve Lee'), ('F M X de Lee')")
    con.execute("insert into marts.people (name) select unnest(?)", [NO_NAMES])
    con.execute("create table marts.looked_at as select unnest(?) as said", [values])
    con.execute("insert into marts.pii_inventory values ('marts.looked_at', 'said', 'email', 'kept')")  # no way round
    expected = [f"marts.looked_at.said holds {said}"] if said else []
    assert masking.undeclared(con, ["marts.people", "marts.looked_at"]) == expected


def test_no_mart_holds_persons_that_it_does_not_declare(sample_build: Build) -> None:
    with connection.connect(sample_build.warehouse) as con:
        marts = [
            f"marts.{name}"
            for (name,) in con.execute("select table_name from duckdb_tables() where schema_name = 'marts'").fetchall()
        ]
        assert len(marts) > 30
        assert masking.undeclared(con, marts) == []
        declared = con.execute("select distinct pii_class from marts.pii_inventory order by all").fetchall()
        assert [name for (name,) in declared] == ["address", "birth_date", "email", "free_text", "key", "name", "phone"]


@pytest.fixture(scope="module")
def known_persons() -> list[str]:
    """E-mails, phones and full names of the sample's people, as delivered and as cleaned: a thousand of each."""
    found: set[str] = set()
    for table in ("crm/contacts", "shop/customers", "support/requesters", "marketing/subscribers"):
        with (SAMPLE / "raw" / f"{table}.csv").open(encoding="utf-8") as lines:
            for row in csv.DictReader(lines):
                found |= {row.get("email") or "", row.get("phone") or "", row.get("mobile") or ""}
                if f"{row.get('first_name')},{row.get('last_name')}" in ",".join(str(text) for text in row.values()):
                    found.add(f"{row['first_name']} {row['last_name']}")
    kinds = (
        lambda text: "@" in text,
        lambda text: any(map(str.isdigit, text)),
        lambda text: " " in text and text.isascii(),
    )
    chosen = [sorted(text for text in found if len(text) >= 8 and is_kind(text))[:1000] for is_kind in kinds]
    assert [len(of_kind) for of_kind in chosen] == [1000] * 3
    return [text for of_kind in chosen for text in of_kind]


def _found(content: bytes, persons: list[str]) -> list[str]:
    """Search for all of them at once: by a hash of eight bytes, by the eight bytes, then in full."""
    content = content.lower()
    needles = [person.lower().encode() for person in persons]
    starts = np.unique(np.array([int.from_bytes(needle[:8], "little") for needle in needles], dtype="<u8"))
    known = np.zeros(1 << 20, dtype=bool)
    known[_hashed(starts)] = True
    hits = set()
    for offset in range(min(8, max(len(content) - 7, 0))):
        windows = np.frombuffer(content, dtype="<u8", count=(len(content) - offset) // 8, offset=offset)
        likely = windows[known[_hashed(windows)]]
        hits.update(window.tobytes() for window in np.unique(likely[np.isin(likely, starts)]))
    return [person for person, needle in zip(persons, needles, strict=True) if needle[:8] in hits and needle in content]


def _hashed(windows: np.ndarray) -> np.ndarray:
    return (windows * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(44)


def test_nothing_written_outside_the_warehouse_holds_a_known_person(
    sample_build: Build, known_persons: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = sample_build.warehouse.parent
    raw = b" ".join(file.read_bytes() for file in (SAMPLE / "raw").rglob("*.csv"))
    assert _found(raw.replace(b",", b" "), known_persons) == known_persons
    monkeypatch.setenv(keys.BACKUP_KEY, "b" * 40)
    # Of a copy: a backup holds the lock, and a test in the other process may be making one of the sample.
    (tmp_path / "copy").mkdir()
    backup.create(Path(shutil.copy(sample_build.warehouse, tmp_path / "copy")), tmp_path / "backups")
    in_clear = () if connection.is_encrypted(sample_build.warehouse) else ("warehouse.duckdb", "warehouse.duckdb.wal")
    written = [
        file for place in (folder, tmp_path / "backups") for file in place.rglob("*")
        if file.is_file() and not file.is_symlink() and file.name not in in_clear
    ] + list((tmp_path / "backups").rglob("warehouse.duckdb"))  # fmt: skip
    assert {file.suffix for file in written} >= {".duckdb", ".parquet", ".log", ".json", ".sql"}
    for file in written:
        assert _found(file.read_bytes(), known_persons) == [], file
    # Compressed content, too: every published value, and every exported file.
    with connection.connect(folder / "publish" / publish.PUBLISHED) as con:
        for (table,) in con.execute("select table_name from duckdb_tables() order by all").fetchall():
            rows = con.execute(f"select string_agg(t::varchar, chr(10)) from marts.{table} as t").fetchall()[0][0] or ""
            assert _found(rows.encode(), known_persons) == [], table
    export_marts(sample_build.warehouse, tmp_path / "export")
    for file in (tmp_path / "export").iterdir():
        assert _found(file.read_bytes(), known_persons) == [], file


def test_no_key_is_written_anywhere(sample_build: Build) -> None:
    assert PII_KEY not in sample_build.output
    for file in sample_build.warehouse.parent.rglob("*"):
        if file.is_file():
            content = file.read_bytes()
            assert PII_KEY.encode() not in content, file
            assert PII_KEY.encode().hex().encode() not in content, file
