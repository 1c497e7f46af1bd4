"""Where people live: countries, cities with region, postcode and area code, streets, phone numbers.

The tables of lookups/ name the largest city and the most frequent street of a country first. Postcodes begin as the
city's real ones do; phone numbers have the right length and prefixes for `phonenumbers` to call them valid.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from crm_mining.common.arrays import FloatArray, TextArray
from crm_mining.synth.arrays import draw, texts, zipf
from crm_mining.synth.lookup import column, rows


@dataclass(frozen=True)
class Country:
    """What a person's country decides."""

    code: str
    share: float  # of all households
    currency: str
    language: str
    culture: str  # of the names of its companies
    job_locale: str  # Faker's list of job titles
    calling_code: str
    landline_length: int  # digits without the leading zero
    mobiles: tuple[tuple[str, int], ...]  # (prefix, digits in all)
    median_income: float  # EUR a year at the age of 45
    mail_domains: tuple[tuple[str, float], ...]
    company_suffixes: tuple[str, ...]
    company_tld: str


def _country(row: dict[str, str]) -> Country:
    code = row["code"]
    return Country(
        code=code,
        share=float(row["share"]),
        currency=row["currency"],
        language=row["language"],
        culture=row["culture"],
        job_locale=row["job_locale"],
        calling_code=row["calling_code"],
        landline_length=int(row["landline_length"]),
        mobiles=tuple((own["prefix"], int(own["length"])) for own in rows("mobile_prefixes") if own["country"] == code),
        median_income=float(row["median_income"]),
        mail_domains=tuple(
            (own["domain"], float(own["weight"])) for own in rows("mail_domains") if own["country"] == code
        ),
        company_suffixes=column("company_words", "word", country=code, kind="suffix"),
        company_tld=row["company_tld"],
    )


COUNTRIES = tuple(_country(row) for row in rows("countries"))
COUNTRY_CODES = tuple(country.code for country in COUNTRIES)
CURRENCIES = tuple(dict.fromkeys(column("exchange_rates", "currency")))
#: What one unit is worth in EUR, by year of the order.
RATES_TO_EUR = {
    currency: tuple(float(rate) for rate in column("exchange_rates", "rate_to_eur", currency=currency))
    for currency in CURRENCIES
}
#: Postcodes of a city: as many draws for each of its prefixes, equal ones counted once.
_POSTCODE_DRAWS = 8
#: Zipf laws: the largest cities are not as far apart as a plain law has it, and streets are nearly even.
_CITY_LAW = {"flat_head": 2.0, "exponent": 0.8}
_STREET_LAW = {"flat_head": 8.0, "exponent": 0.7}


@dataclass(frozen=True)
class Places:
    """The cities of one country, as parallel arrays; a city's postcodes are one array each."""

    city: TextArray
    region: TextArray
    area_code: tuple[str, ...]
    postcodes: tuple[TextArray, ...]
    weight: FloatArray
    streets: TextArray
    street_weight: FloatArray


def _postcode(code: str, prefix: str, rng: np.random.Generator) -> str:
    """Write one postcode as the country does, beginning with the city's prefix."""
    digits = "".join(str(digit) for digit in rng.integers(1, 10, 6))
    if code == "GB":
        letters = rng.choice(list("ABDEFGHJLNPQRSTUWXYZ"), 2)
        return f"{prefix}{rng.integers(1, 20)} {digits[0]}{letters[0]}{letters[1]}"
    if code == "PL":
        return f"{prefix}-{digits[:3]}"
    if code == "SE":
        return f"{prefix} {digits[:2]}"
    if code == "FR":  # Paris, Marseille and Lyon number their districts, the others count in hundreds
        return f"{prefix}{digits[0].zfill(2)}" if prefix in ("750", "130", "690") else f"{prefix}00"
    return (prefix + digits)[:5]


@cache
def places(code: str) -> Places:
    """Build the cities and streets of a country; the same in every run and on every machine."""
    rng = np.random.default_rng([2023, *code.encode()])
    cities = [row for row in rows("cities") if row["country"] == code]
    postcodes = tuple(
        texts(
            sorted(
                {
                    _postcode(code, prefix, rng)
                    for prefix in row["postcode_prefixes"].split()
                    for _ in range(_POSTCODE_DRAWS)
                }
            )
        )
        for row in cities
    )
    streets = texts(column("streets", "street", country=code))
    return Places(
        city=texts([row["city"] for row in cities]),
        region=texts([row["region"] for row in cities]),
        area_code=tuple(row["area_code"] for row in cities),
        postcodes=postcodes,
        weight=zipf(len(cities), **_CITY_LAW),
        streets=streets,
        street_weight=zipf(len(streets), **_STREET_LAW),
    )


def _digits(rng: np.random.Generator, count: int, length: int) -> TextArray:
    """Draw `count` runs of `length` digits whose first lies between 2 and 7, as subscriber numbers' do."""
    number = rng.integers(2, 8, count) * 10 ** (length - 1) + rng.integers(0, 10 ** (length - 1), count)
    return np.asarray(number.astype(str).astype(object))


def draw_phones(rng: np.random.Generator, country: Country, city: np.ndarray, mobile: bool) -> TextArray:
    """Draw phone numbers in E.164.

    Parameters
    ----------
    rng
        Source of randomness.
    country
        Country of all of them.
    city
        Position of each person's city in `places(country.code)`; its length says how many to draw.
    mobile
        Whether to draw mobile numbers (in the US they have the city's area code, too).
    """
    out = np.empty(len(city), dtype=object)
    if mobile and country.mobiles:
        plans = list(country.mobiles)
        choice = draw(rng, np.ones(len(plans)), len(city))
    else:
        plans = [(area, country.landline_length) for area in places(country.code).area_code]
        choice = np.asarray(city, dtype=np.int64)
    for position, (prefix, length) in enumerate(plans):
        chosen = np.flatnonzero(choice == position)
        if len(chosen):
            out[chosen] = f"+{country.calling_code}{prefix}" + _digits(rng, len(chosen), length - len(prefix))
    return out
