"""Phone numbers in E.164, by the numbering plan of their country."""

from collections.abc import Iterator

import duckdb
import phonenumbers
import pyarrow as pa

from crm_mining.common.progress import Progress

SCHEMA = pa.schema(
    [("phone_text", pa.string()), ("country", pa.string()), ("e164", pa.string()), ("is_valid", pa.bool_())]
)
BATCH_ROWS = 20_000


def to_e164(phone_text: str, country: str) -> tuple[str | None, bool]:
    """Read one phone number.

    Parameters
    ----------
    phone_text : str
        The number in any notation.
    country : str
        ISO 3166-1 alpha-2 code of the country to read it in when it carries no country prefix; ``ZZ`` for unknown.

    Returns
    -------
    (str or None, bool)
        The number in E.164 (ITU-T E.164: ``+`` and at most 15 digits), or None when its length fits no number of the
        country; and whether it belongs to a range in use there. The rules are those of Google's libphonenumber.

    Examples
    --------
    >>> to_e164("030 / 901820", "DE")
    ('+4930901820', True)
    >>> to_e164("see letterhead", "DE")
    (None, False)
    """
    readings = [(phone_text, None if country == "ZZ" else country)]
    if phone_text.startswith("00"):
        readings.append(("+" + phone_text[2:], None))  # the international prefix of all countries that dial with zeros
    for text, region in readings:
        try:
            number = phonenumbers.parse(text, region)
        except phonenumbers.NumberParseException:
            continue
        if phonenumbers.is_possible_number(number):
            e164 = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
            return e164, phonenumbers.is_valid_number(number)
    return None, False


def parse_phones(written: duckdb.DuckDBPyRelation) -> pa.RecordBatchReader:
    """Read many phone numbers, in batches.

    Parameters
    ----------
    written : DuckDBPyRelation
        One row per distinct number and country: ``phone_text`` and ``country``, see :func:`to_e164`.

    Returns
    -------
    RecordBatchReader
        The same rows with ``e164`` (null when it can't be a number) and ``is_valid``. Memory holds one batch at a time.
    """
    total = written.aggregate("count(*)").fetchall()[0][0]

    def batches() -> Iterator[pa.RecordBatch]:
        progress = Progress("phone numbers parsed", total)
        done = 0
        for batch in written.to_arrow_reader(BATCH_ROWS):
            texts, countries = batch.column("phone_text"), batch.column("country")
            parsed = [to_e164(t.as_py(), c.as_py()) for t, c in zip(texts, countries, strict=True)]
            columns = [
                texts,
                countries,
                pa.array([e for e, _ in parsed], pa.string()),
                pa.array([v for _, v in parsed]),
            ]
            done += len(batch)
            progress.update(done)
            yield pa.RecordBatch.from_arrays(columns, schema=SCHEMA)

    return pa.RecordBatchReader.from_batches(SCHEMA, batches())
