"""How personal columns leave the warehouse, published, exported or shown: ``pii_inventory`` decides."""

import re
from dataclasses import dataclass

import duckdb

from crm_mining.warehouse import keys

INVENTORY = "marts.pii_inventory"
#: A source's key that leads to nobody outside the source: C1023, crm:C1023, M77@2.
_PLAIN_KEY = r"([a-z]+:)?[A-Za-z]{0,4}[0-9]{1,8}(@[0-9]+)?"
_ADDRESS = r"[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+[.][A-Za-z]{2,}"
#: With the country code, or from 0 with a separator: not a key that happens to be a number.
_NUMBER = r"^([+]|00)[1-9][0-9 ()/.-]{7,17}$|^[(]?0[1-9][0-9]*[ )/-][0-9 /-]{4,14}$"
#: What somebody typed into the field for names counts as one only when it is of letters.
_NAME_WORD = r"\p{L}[\p{L}\p{M}.''-]*"
#: A column looks like one of names when at least this share of its different values are names …
_NAMES_SHARE = 0.3
_NAMES_LEAST = 5
#: … among the first rows of the table, this many.
_ROWS_LOOKED_AT = 200_000
_ROWS_OF_NAMES = 2_000


@dataclass(frozen=True)
class PersonalColumn:
    """A column of a mart that holds personal data, and how it is masked."""

    pii_class: str
    masking: str


def prepare(con: duckdb.DuckDBPyConnection) -> None:
    """Make a connection ready for masked reads: pseudonyms by ``CRM_PII_KEY``, empty without it."""
    keys.install_pseudonyms(con, keys.from_environment(keys.PII_KEY))


def inventory(con: duckdb.DuckDBPyConnection, table: str) -> dict[str, PersonalColumn]:
    """Read what is declared of one table, ``marts.dim_customers``: its personal columns by name."""
    rows = con.execute(
        f"select column_name, pii_class, masking from {INVENTORY} where table_name = ? order by all", [table]
    ).fetchall()
    return {column: PersonalColumn(pii_class, masking) for column, pii_class, masking in rows}


def masked(con: duckdb.DuckDBPyConnection, table: str) -> str:
    """Give a query of a table as anybody may see it.

    Parameters
    ----------
    con : DuckDBPyConnection
        A connection on which :func:`prepare` was called, when the query runs.
    table : str
        Schema and name.

    Returns
    -------
    str
        A SELECT with the table's columns, each under its name and with its type.

    Raises
    ------
    ValueError
        When the inventory names a masking that there is none of.
    """
    declared = inventory(con, table)
    described = con.execute(f"describe {table}").fetchall()
    columns = []
    for name, kind, *_ in described:
        quoted = '"' + name.replace('"', '""') + '"'
        if name in declared:
            columns.append(f"{expression(quoted, kind, declared[name].masking)} as {quoted}")
        else:
            columns.append(quoted)
    return f"select {', '.join(columns)} from {table} as this_row"


def expression(column: str, kind: str, masking: str) -> str:
    """Give the SQL expression that masks a column.

    Parameters
    ----------
    column : str
        The quoted column.
    kind : str
        Its DuckDB type, which the expression keeps.
    masking : str
        ``pseudonym``; ``kept`` (it is a pseudonym already); ``plain_key`` (short keys as they are, others as
        pseudonyms); ``dropped`` (null);
        ``postcode_area`` (the first two characters); ``birth_year`` (the first of January); ``page_path`` (without what
        follows ? or #); ``source_value`` (a value of the raw column that the row's source_table and column_name give:
        as it is where the raw contract knows the column and calls it not personal, else letters as x and digits as 9);
        ``source_record`` (a raw row as JSON, value by value the same).

    Returns
    -------
    str
        Null where the type is none that the masking knows: a number that is personal is dropped.

    Raises
    ------
    ValueError
        When there is no such masking.
    """
    text = column if kind == "VARCHAR" else f"{column}::varchar"
    hashed = f"crm_pseudonym(lower(trim({text})))"
    harmless = (
        "exists (from marts.dq_raw_columns as known anti join {inventory} as listed "
        "on listed.table_name = known.source_table and listed.column_name = known.column_name "
        "where known.is_known and known.source_table = this_row.source_table and known.column_name = {field})"
    )
    of_column = harmless.format(inventory=INVENTORY, field="this_row.column_name")
    of_field = harmless.format(inventory=INVENTORY, field="fields.field")
    maskings = {
        "kept": text,
        "pseudonym": hashed,
        "plain_key": f"case when regexp_full_match({text}, '{_PLAIN_KEY}') then {text} else {hashed} end",
        "dropped": "null",
        "postcode_area": f"left(trim({text}), 2)",
        "birth_year": f"date_trunc('year', {column})",
        "page_path": f"regexp_replace({text}, '[?#].*$', '')",
        "source_value": f"case when {of_column} then {text} else {_shape(text)} end",
        "source_record": (
            "(select to_json(map_from_entries(list({'k': field, 'v': "
            f"case when {of_field} then said else {_shape('said')} end}} order by position))) "
            f"from (select unnest(json_keys({text}::json)) as field, "
            f"generate_subscripts(json_keys({text}::json), 1) as position, "
            f"json_extract_string({text}::json, '$.\"' || field || '\"') as said) as fields where said is not null)"
        ),
    }
    if masking not in maskings:
        raise ValueError(f"no masking `{masking}`; there are {', '.join(maskings)}")
    is_date = kind == "DATE" or kind.startswith("TIMESTAMP")
    fits = kind == "VARCHAR" if masking != "birth_year" else is_date
    if masking == "plain_key":
        fits = fits or "INT" in kind
    return f"({maskings[masking] if fits else 'null'})::{kind}"


def _shape(text: str) -> str:
    digits = f"regexp_replace({text}, '\\p{{N}}', '9', 'g')"
    capitals = f"regexp_replace({digits}, '[\\p{{Lu}}\\p{{Lt}}]', 'X', 'g')"
    others = "".join(f"\\p{{{kind}}}" for kind in ("Ll", "Lm", "Lo", "M", "C", "Sc", "Sk", "So"))
    return f"regexp_replace({capitals}, '[{others}]', 'x', 'g')"


def undeclared(con: duckdb.DuckDBPyConnection, tables: list[str]) -> list[str]:
    """Find text columns that look personal although nothing declares them so.

    Parameters
    ----------
    con : DuckDBPyConnection
        The warehouse.
    tables : list of str
        Schema and name of each table that is to leave it.

    Returns
    -------
    list of str
        "marts.x.y holds e-mail addresses", one for each such column. One e-mail address anywhere in a text is enough,
        and one telephone number. Names: three tenths of the column's different values (of three letters and more)
        consist of words of the columns declared as names. At most 200,000 rows of a table are looked at, for names
        2,000.
    """
    _collect_name_words(con)
    found = []
    for table in tables:
        declared = inventory(con, table)
        kinds = [(name, kind) for name, kind, *_ in con.execute(f"describe {table}").fetchall()]
        # What is to be kept as it is must be no person's either.
        hidden = {name for name, column in declared.items() if column.masking != "kept"}
        texts = [name.replace('"', '""') for name, kind in kinds if kind == "VARCHAR" and name not in hidden]
        if not texts:
            continue
        hints = ", ".join(
            f"""count_if(contains("{name}", '@')),
            count_if(left("{name}", 1) in ('+', '0', '(') and length("{name}") >= 8)"""
            for name in texts
        )  # cheap, for all columns at once; the patterns run where there is a hint
        names = _columns_of_names(con, table, texts)
        hinted = con.execute(f"select {hints} from (from {table} limit {_ROWS_LOOKED_AT})").fetchall()[0]
        for position, name in enumerate(texts):
            n_at, n_digits = hinted[2 * position : 2 * position + 2]
            if n_at and _matches(con, table, name, _ADDRESS):
                found.append(f"{table}.{name} holds e-mail addresses")
            elif n_digits and _matches(con, table, name, _NUMBER):
                found.append(f"{table}.{name} holds telephone numbers")
            elif name.replace('""', '"') in names:
                found.append(f"{table}.{name} holds names")
    return found


def _matches(con: duckdb.DuckDBPyConnection, table: str, column: str, pattern: str) -> bool:
    rows = f"(from {table} limit {_ROWS_LOOKED_AT})"
    return bool(con.execute(f"select bool_or(regexp_matches(\"{column}\", '{pattern}')) from {rows}").fetchall()[0][0])


def _collect_name_words(con: duckdb.DuckDBPyConnection) -> None:
    con.execute("create or replace temp table name_words (word varchar)")
    columns = con.execute(
        f"select table_name, column_name from {INVENTORY} where pii_class = 'name' and column_name != 'company' "
        "and table_name in (select schema_name || '.' || table_name from duckdb_tables()) order by all"
    ).fetchall()
    for table, column in columns:
        con.execute(
            "insert into name_words select distinct word from "
            f"(select lower(unnest(string_split(\"{column}\", ' '))) as word from {table}) "
            f"where regexp_full_match(word, '{_NAME_WORD}')"
        )


def _columns_of_names(con: duckdb.DuckDBPyConnection, table: str, quoted: list[str]) -> set[str]:
    """Give which of the text columns hold names; values of fewer than three letters are codes and don't count."""
    columns = ", ".join(f'"{name}"' for name in quoted)
    rows = con.execute(
        "select name, count_if(is_name), count(*) from ("
        "select name, value, bool_and(word in (from name_words)) as is_name from ("
        "select name, value, unnest(string_split(lower(trim(value)), ' ')) as word from ("
        f"select distinct name, value from (unpivot (select {columns} from {table} limit {_ROWS_OF_NAMES}) "
        f"on {columns} into name name value value) where length(value) between 3 and 59)) group by all) group by name"
    ).fetchall()
    return {name for name, n_names, n_values in rows if n_names >= max(_NAMES_LEAST, _NAMES_SHARE * n_values)}


def plain_key(text: str) -> bool:
    """Tell whether a source's key leads to nobody outside the source.

    Examples
    --------
    >>> plain_key("crm:C1023"), plain_key("an.na@x.de")
    (True, False)
    """
    return re.fullmatch(_PLAIN_KEY, text) is not None
