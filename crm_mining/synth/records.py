"""What each system knows of a person: records with the version that was true when the system last touched them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from crm_mining.common.arrays import BoolArray, IntArray, TextArray
from crm_mining.synth.arrays import instant_column, key_column, number_column, only, string_table, texts
from crm_mining.synth.calendar import DAY, END
from crm_mining.synth.geography import COUNTRIES
from crm_mining.synth.people import NEVER, People

# Prefix of each system's keys, and the share of persons who have a second record there.
KEY_PREFIX = {"crm.contacts": "C", "shop.customers": "U", "support.requesters": "R", "marketing.subscribers": "S"}
KEY_COLUMN = {
    "crm.contacts": "contact_id",
    "shop.customers": "customer_id",
    "support.requesters": "requester_id",
    "marketing.subscribers": "subscriber_id",
}
#: Shares of persons with a second record; of records with the short form of the first name, and of second ones with it;
#: of records that were touched again later. Shares in the tables below are of fields that are filled.
_TWICE = {"crm.contacts": 0.05, "shop.customers": 0.045, "support.requesters": 0.07, "marketing.subscribers": 0.045}
_NICKNAME = {"crm.contacts": 0.08, "shop.customers": 0.20, "support.requesters": 0.35, "marketing.subscribers": 0.28}
_NICKNAME_IF_SECOND = 0.4
_UPDATED = {"crm.contacts": 0.50, "shop.customers": 0.40, "support.requesters": 0.15, "marketing.subscribers": 0.25}


@dataclass(frozen=True)
class Records:
    """The records of one system, sorted by creation; `key` numbers them."""

    system: str
    key: IntArray
    person: IntArray
    created_at: IntArray
    updated_at: IntArray
    is_second: BoolArray
    uses_nickname: BoolArray

    @property
    def n(self) -> int:
        """Count the records."""
        return len(self.key)

    def record_of(self, n_persons: int) -> IntArray:
        """Give the position of each person's first record, -1 where there is none, shape (n_persons,)."""
        out = np.full(n_persons, -1)
        out[self.person[~self.is_second]] = np.flatnonzero(~self.is_second)
        return out

    def choose(self, rng: np.random.Generator, n_persons: int, person: IntArray, at: IntArray) -> IntArray:
        """Choose for each event the record it is booked on: once a second one exists, either of the two.

        Parameters
        ----------
        rng
            Source of randomness.
        n_persons
            Number of persons in the chunk.
        person, at
            Who did something when, shape (n,); a person of -1 gives -1.
        """
        second = np.full(n_persons + 1, -1)
        second[self.person[self.is_second]] = np.flatnonzero(self.is_second)
        first = np.append(self.record_of(n_persons), -1)
        other = second[person]
        takes_other = (other >= 0) & (self.created_at[other] <= at) & (rng.random(len(person)) < 0.5)
        return np.where(takes_other, other, first[person])


def make_records(
    rng: np.random.Generator, system: str, person: IntArray, created_at: IntArray, first_key: int
) -> Records:
    """Create a system's records, a few persons twice, and update some of them later.

    Parameters
    ----------
    rng
        Source of randomness.
    system
        Name such as 'crm.contacts'.
    person, created_at
        Who is known there since when, shape (n,).
    first_key
        Number of the first key.
    """
    inside = created_at <= END
    person, created_at = person[inside], created_at[inside]
    again = np.flatnonzero((rng.random(len(person)) < _TWICE[system]) & (created_at < END - 30 * DAY))
    later = created_at[again] + DAY + (rng.random(len(again)) * (END - 2 * DAY - created_at[again])).astype(np.int64)
    everyone = np.concatenate([person, person[again]])
    created = np.concatenate([created_at, later])
    is_second = np.arange(len(everyone)) >= len(person)
    n = len(everyone)
    updated = np.where(
        rng.random(n) < _UPDATED[system], created + (rng.random(n) * (END - created)).astype(np.int64), created
    )
    uses_nickname = rng.random(n) < np.where(is_second, _NICKNAME_IF_SECOND, _NICKNAME[system])
    order = np.lexsort((everyone, created))
    return Records(
        system, first_key + np.arange(n, dtype=np.int64), everyone[order], created[order], updated[order],
        is_second[order], uses_nickname[order],
    )  # fmt: skip


@dataclass(frozen=True)
class _Version:
    """The version of each record's person that its system holds."""

    first: TextArray
    last: TextArray
    email: TextArray
    mobile: TextArray
    landline: TextArray
    street: TextArray
    number: TextArray
    postcode: TextArray
    city: TextArray
    region: TextArray
    country: TextArray
    language: TextArray


def _version(people: People, records: Records) -> _Version:
    """Look up what was true of each person when the record was last touched."""
    who, at = records.person, records.updated_at
    has_moved = at >= people.moves_at[who]
    codes, languages = texts([spec.code for spec in COUNTRIES]), texts([spec.language for spec in COUNTRIES])
    old, new = people.address, people.address_after

    def by_move(name: str) -> TextArray:
        return np.asarray(np.where(has_moved, getattr(new, name)[who], getattr(old, name)[who]))

    return _Version(
        first=np.where(records.uses_nickname, people.nickname[who], people.first[who]),
        last=np.where(at >= people.marries_at[who], people.last_after[who], people.last[who]),
        email=np.where(at >= people.email_changes_at[who], people.email_after[who], people.email[who]),
        mobile=np.where(at >= people.mobile_changes_at[who], people.mobile_after[who], people.mobile[who]),
        landline=by_move("landline"),
        street=by_move("street"),
        number=by_move("number"),
        postcode=by_move("postcode"),
        city=by_move("city"),
        region=by_move("region"),
        country=codes[people.country[who]],
        language=languages[people.country[who]],
    )


def _some(rng: np.random.Generator, values: TextArray, share: float) -> TextArray:
    """Leave a share of the values and empty the others, as people leave fields empty."""
    return only(rng.random(len(values)) < share, values)


def _ends(records: Records) -> dict[str, pa.Array]:
    """Write the two instants that end each record."""
    return {"created_at": instant_column(records.created_at), "updated_at": instant_column(records.updated_at)}


def contact_table(rng: np.random.Generator, people: People, records: Records) -> pa.Table:
    """Write crm.contacts, which knows most, and carries a column that the contract does not know."""
    who, version = records.person, _version(people, records)
    income = only(people.income[who] > 0, people.income[who].astype(str).astype(object))
    middle = people.middle[who]
    initial = np.where(
        rng.random(records.n) < 0.5, texts([None if name is None else name[0] for name in middle]), middle
    )
    return string_table(
        {
            "contact_id": key_column(KEY_PREFIX["crm.contacts"], records.key),
            "title": people.title[who],
            "first_name": version.first,
            "middle_name": initial,
            "last_name": version.last,
            "gender": _some(rng, people.gender[who], 0.93),
            "birth_date": _some(rng, people.birth_date[who], 0.72),
            "email": _some(rng, version.email, 0.90),
            "phone": _some(rng, version.landline, 0.42),
            "mobile": _some(rng, version.mobile, 0.62),
            "street": version.street,
            "street_number": version.number,
            "city": version.city,
            "region": version.region,
            "postcode": version.postcode,
            "country": version.country,
            "company": people.company[who],
            "job_title": _some(rng, people.job_title[who], 0.55),
            "income": _some(rng, income, 0.70),
            "household_size": _some(rng, people.household_size[who].astype(str).astype(object), 0.80),
            "language": version.language,
            **_ends(records),
            "legacy_score": _some(rng, rng.integers(0, 100, records.n).astype(str).astype(object), 0.5),
        }
    )


def customer_table(rng: np.random.Generator, people: People, records: Records) -> pa.Table:
    """Write shop.customers; the house number stands in the street, after it or before it as the country does."""
    who, version = records.person, _version(people, records)
    number_first = np.array([spec.code in ("GB", "US", "FR") for spec in COUNTRIES])[people.country[who]]
    street = np.where(number_first, version.number + " " + version.street, version.street + " " + version.number)
    phone = np.where(rng.random(records.n) < 0.75, version.mobile, version.landline)
    return string_table(
        {
            "customer_id": key_column(KEY_PREFIX["shop.customers"], records.key),
            "first_name": version.first,
            "last_name": version.last,
            "gender": _some(rng, people.gender[who], 0.55),
            "birth_date": _some(rng, people.birth_date[who], 0.50),
            "email": version.email,
            "phone": _some(rng, phone, 0.66),
            "street": street,
            "city": version.city,
            "postcode": version.postcode,
            "country": version.country,
            "language": version.language,
            **_ends(records),
        }
    )


def requester_table(rng: np.random.Generator, people: People, records: Records) -> pa.Table:
    """Write support.requesters: the whole name in one field, and little else."""
    who, version = records.person, _version(people, records)
    reversed_name = rng.random(records.n) < 0.12
    full_name = np.where(reversed_name, version.last + ", " + version.first, version.first + " " + version.last)
    by_phone = rng.random(records.n) < 0.22
    phone = np.where(rng.random(records.n) < 0.8, version.mobile, version.landline)
    return string_table(
        {
            "requester_id": key_column(KEY_PREFIX["support.requesters"], records.key),
            "full_name": full_name,
            "email": only(~by_phone, version.email),
            "phone": only(by_phone | (rng.random(records.n) < 0.35), phone),
            "company": _some(rng, people.company[who], 0.6),
            "language": version.language,
            **_ends(records),
        }
    )


def subscriber_table(
    rng: np.random.Generator, people: People, records: Records, has_consent: BoolArray, unsubscribed_at: IntArray
) -> pa.Table:
    """Write marketing.subscribers; `has_consent` and `unsubscribed_at` are by person."""
    who, version = records.person, _version(people, records)
    left = unsubscribed_at[who] < np.minimum(NEVER, END)
    agreed = has_consent[who] & ~left
    return string_table(
        {
            "subscriber_id": key_column(KEY_PREFIX["marketing.subscribers"], records.key),
            "has_consent": np.where(agreed, "true", "false").astype(object),
            "unsubscribed_at": instant_column(np.maximum(unsubscribed_at[who], records.created_at), left),
            "first_name": version.first,
            "last_name": version.last,
            "gender": _some(rng, people.gender[who], 0.70),
            "birth_date": _some(rng, people.birth_date[who], 0.45),
            "email": version.email,
            "mobile": _some(rng, version.mobile, 0.45),
            "city": _some(rng, version.city, 0.90),
            "country": version.country,
            **_ends(records),
        }
    )


def record_truth(first_person: int, systems: list[Records]) -> pa.Table:
    """Write which record belongs to which person."""
    parts = [
        string_table(
            {
                "source_table": texts([records.system] * records.n),
                "source_key": key_column(KEY_PREFIX[records.system], records.key),
                "person_id": number_column(first_person + records.person),
            }
        )
        for records in systems
    ]
    return pa.concat_tables(parts)
