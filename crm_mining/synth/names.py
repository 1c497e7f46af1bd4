"""Names of people and companies by culture, their frequencies, and the short forms that some systems hold instead.

The pools come from Faker's providers; a short list of each culture's most frequent names leads them, so that a Müller
is more frequent than an Atzler, and frequencies fall with rank as real ones do.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib import import_module

import numpy as np

from crm_mining.common.arrays import FloatArray, TextArray
from crm_mining.synth.arrays import fold, texts, zipf
from crm_mining.synth.geography import COUNTRY_CODES, Country
from crm_mining.synth.lookup import column, rows

CULTURES = ("de", "tr", "pl", "gb", "us", "es", "fr", "sv")
#: Which cultures a country's households belong to.
CULTURE_SHARES = {
    country: {row["culture"]: float(row["share"]) for row in rows("culture_shares") if row["country"] == country}
    for country in COUNTRY_CODES
}
_LOCALES = {
    "de": "de_DE", "tr": "tr_TR", "pl": "pl_PL", "gb": "en_GB", "us": "en_US", "es": "es_ES",
    "fr": "fr_FR", "sv": "sv_SE",
}  # fmt: skip
#: Names of a pool at most: beyond them frequencies are too small for a name to occur.
_MOST_FIRST_NAMES, _MOST_LAST_NAMES = 420, 1200
#: Double names stand behind this many of the most frequent first names.
_DOUBLES_BEHIND = 10
#: The most frequent last names are nearer to one another than the first names are.
_LAST_NAME_HEAD = 6.0


@dataclass(frozen=True)
class NamePool:
    """Names of a culture with their probabilities; `female_last` differs from `last` where the language does."""

    female: TextArray
    female_weight: FloatArray
    male: TextArray
    male_weight: FloatArray
    last: TextArray
    female_last: TextArray
    last_weight: FloatArray


def _usable(names: Iterable[str]) -> list[str]:
    """Keep names of letters, hyphen, apostrophe and blank alone, composed (NFC), in their order, each once."""
    composed = (unicodedata.normalize("NFC", str(name)).strip() for name in names)
    return list(
        dict.fromkeys(name for name in composed if len(name) > 1 and all(c.isalpha() or c in "-' " for c in name))
    )


def _pool(culture: str, sex: str) -> list[str]:
    """List a culture's first names of one sex, the frequent ones first, double names in the middle of the field."""
    provider = import_module(f"faker.providers.person.{_LOCALES[culture]}").Provider
    head = column("frequent_names", "name", culture=culture, kind=sex)
    doubles = column("frequent_names", "name", culture=culture, kind=f"double_{sex}")
    # Faker lists many pools by alphabet; shuffling keeps the tail from favouring names with A.
    tail = sorted(_usable(getattr(provider, f"first_names_{sex}")))
    np.random.default_rng(len(tail)).shuffle(tail)
    return _usable([*head[:_DOUBLES_BEHIND], *doubles, *head[_DOUBLES_BEHIND:], *tail])[:_MOST_FIRST_NAMES]


@cache
def name_pool(culture: str) -> NamePool:
    """Build the names of a culture; the same in every run and on every machine."""
    provider = import_module(f"faker.providers.person.{_LOCALES[culture]}").Provider
    polish = culture == "pl"
    listed = [*provider.male_last_names, *provider.unisex_last_names] if polish else list(provider.last_names)
    tail = sorted(_usable(listed))
    np.random.default_rng(len(tail)).shuffle(tail)
    last = _usable([*column("frequent_names", "name", culture=culture, kind="last"), *tail])[:_MOST_LAST_NAMES]
    female_last = [
        name[:-1] + "a" if culture == "pl" and name.endswith(("ski", "cki", "dzki")) else name for name in last
    ]
    female, male = _pool(culture, "female"), _pool(culture, "male")
    return NamePool(
        texts(female),
        zipf(len(female)),
        texts(male),
        zipf(len(male)),
        texts(last),
        texts(female_last),
        zipf(len(last), _LAST_NAME_HEAD),
    )


@cache
def nicknames(culture: str) -> dict[str, str]:
    """Map the given names of a culture to their short forms."""
    language = "en" if culture in ("gb", "us") else culture
    return {row["name"]: row["nickname"] for row in rows("nicknames") if row["language"] == language}


@cache
def academic_titles(language: str) -> tuple[str, ...]:
    """List the academic titles that a language puts before a name."""
    return column("titles", "title", language=language)


@cache
def first_name_set() -> frozenset[str]:
    """Collect every given name and short form, to tell whether a swapped name can be recognised."""
    pools = [name_pool(culture) for culture in CULTURES]
    given = {name for pool in pools for name in (*pool.female, *pool.male)}
    return frozenset(given | {short for culture in CULTURES for short in nicknames(culture).values()})


@cache
def last_name_set() -> frozenset[str]:
    """Collect every family name."""
    return frozenset(
        name for culture in CULTURES for name in (*name_pool(culture).last, *name_pool(culture).female_last)
    )


#: A country's companies are named after this many of its most frequent last names.
_COMPANY_NAMES = 320
_NAMES_ITS_TRADE = 0.65  # share of companies
#: Job titles are kept when they are as short as people write them, and this many of them.
_SHORTEST_JOB, _LONGEST_JOB, _MOST_JOBS = 5, 26, 150


@cache
def companies(country: Country) -> tuple[TextArray, TextArray]:
    """Make the companies of a country and the domains of their e-mail addresses."""
    rng = np.random.default_rng([7, *country.code.encode()])
    names = list(name_pool(country.culture).last[:_COMPANY_NAMES])
    trades, suffixes = column("company_words", "word", country=country.code, kind="trade"), country.company_suffixes
    company, domain = [], []
    for name in names:
        trade, suffix = trades[rng.integers(len(trades))], suffixes[rng.integers(len(suffixes))]
        company.append(f"{name} {trade} {suffix}" if rng.random() < _NAMES_ITS_TRADE else f"{name} {suffix}")
        domain.append(f"{fold(name)}-{fold(trade)}.{country.company_tld}")
    return texts(company), texts(domain)


@cache
def jobs(country: Country, female: bool) -> TextArray:
    """List the job titles of a country in the form for women or for men, capitalised and short."""
    provider = import_module(f"faker.providers.job.{country.job_locale}").Provider
    listed = getattr(provider, "jobs_female" if female else "jobs_male", None) or provider.jobs
    titles = sorted({unicodedata.normalize("NFC", str(title)).strip() for title in listed})
    plain = [
        title[0].upper() + title[1:]
        for title in titles
        if _SHORTEST_JOB <= len(title) <= _LONGEST_JOB and not set(title) & set("(),/*:&.0123456789")
    ]
    plain = [title for title in plain if "  " not in title]
    np.random.default_rng(len(plain)).shuffle(plain)
    return texts(plain[:_MOST_JOBS])
