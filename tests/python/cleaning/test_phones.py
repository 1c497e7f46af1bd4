"""Phone numbers in every notation people use."""

import duckdb
import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm_mining.cleaning.phones import parse_phones, to_e164


@pytest.mark.parametrize(
    ("text", "country"),
    [
        ("+49 30 901820", "ZZ"),
        ("+49 (0)30 901820", "DE"),
        ("0049 30 / 90 18 20", "DE"),
        ("030-901820", "DE"),
        ("(030) 90.18.20", "DE"),
        ("0049 30 901820", "ZZ"),
    ],
)
def test_all_notations_of_one_number_are_equal(text: str, country: str) -> None:
    assert to_e164(text, country) == ("+4930901820", True)


@pytest.mark.parametrize(
    ("text", "country"), [("1", "DE"), ("call me", "DE"), ("030 901820", "ZZ"), ("+49" + "1" * 30, "DE")]
)
def test_what_can_be_no_number_is_null(text: str, country: str) -> None:
    assert to_e164(text, country) == (None, False)


@given(st.text(max_size=40), st.sampled_from(["DE", "GB", "US", "ZZ"]))
def test_any_text_gives_e164_or_nothing_and_reading_it_again_changes_nothing(text: str, country: str) -> None:
    e164, _ = to_e164(text, country)
    if e164 is not None:
        assert e164.startswith("+")
        assert to_e164(e164, country)[0] == e164


def test_batches_come_back_complete_and_in_order() -> None:
    numbers = [
        phonenumbers.format_number(phonenumbers.example_number(region), phonenumbers.PhoneNumberFormat.INTERNATIONAL)
        for region in ("DE", "GB", "FR", "PL", "SE")
    ]
    with duckdb.connect() as con:
        con.execute("create table written (phone_text varchar, country varchar)")
        con.executemany("insert into written values (?, 'ZZ')", [[number] for number in numbers])
        parsed = parse_phones(con.table("written")).read_all().to_pylist()
    assert [row["phone_text"] for row in parsed] == numbers
    assert all(row["is_valid"] and row["e164"].startswith("+") for row in parsed)
