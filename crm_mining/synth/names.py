# ruff: noqa: RUF001 -- Turkish names have a dotless i
"""Names of people and companies by culture, their frequencies, and the short forms that some systems hold instead.

The pools come from Faker's providers; a short list of each culture's most frequent names leads them, so that a
Müller is more
frequent than an Atzler, and frequencies fall with rank as real ones do.
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

CULTURES = ("de", "tr", "pl", "gb", "us", "es", "fr", "sv")
# Which cultures a country's households belong to.
CULTURE_SHARES: dict[str, dict[str, float]] = {
    "DE": {"de": 0.86, "tr": 0.08, "pl": 0.04, "fr": 0.02},
    "GB": {"gb": 0.93, "pl": 0.04, "tr": 0.01, "es": 0.02},
    "US": {"us": 0.80, "es": 0.14, "de": 0.03, "pl": 0.03},
    "FR": {"fr": 0.91, "es": 0.05, "tr": 0.02, "de": 0.02},
    "ES": {"es": 0.95, "fr": 0.02, "de": 0.03},
    "PL": {"pl": 0.99, "de": 0.01},
    "SE": {"sv": 0.93, "tr": 0.03, "pl": 0.02, "de": 0.02},
}
_LOCALES = {
    "de": "de_DE", "tr": "tr_TR", "pl": "pl_PL", "gb": "en_GB", "us": "en_US", "es": "es_ES",
    "fr": "fr_FR", "sv": "sv_SE",
}  # fmt: skip
_FREQUENT_FEMALE = {
    "de": "Maria Ursula Monika Petra Elisabeth Sabine Renate Karin Andrea Julia Anna Katharina Susanne Claudia"
    " Stefanie Birgit"
    " Angelika Heike Nicole Sandra Laura Lena Lisa Sarah Christina Melanie Silke Martina Gabriele Jutta",
    "tr": "Fatma Ayşe Emine Hatice Zeynep Elif Meryem Zehra Özlem Esra Yasemin Gülay Sevgi Leyla",
    "pl": "Anna Katarzyna Maria Agnieszka Barbara Ewa Magdalena Małgorzata Joanna Aleksandra Krystyna Monika Beata"
    " Zofia",
    "gb": "Margaret Susan Sarah Elizabeth Patricia Jennifer Rebecca Christine Katherine Emma Victoria Helen Emily"
    " Charlotte Amy",
    "us": "Mary Patricia Jennifer Linda Elizabeth Barbara Susan Jessica Sarah Karen Margaret Katherine Rebecca"
    " Deborah Emily",
    "es": "María Carmen Ana Isabel Laura Cristina Marta Dolores Lucía Pilar Josefa Teresa Francisca Rosario Elena",
    "fr": "Marie Nathalie Isabelle Sylvie Catherine Françoise Valérie Christine Céline Camille Élodie Hélène Julie"
    " Chloé",
    "sv": "Anna Eva Maria Karin Kristina Lena Sara Emma Kerstin Ingrid Elin Birgitta Annika Margareta Åsa",
}
_FREQUENT_MALE = {
    "de": "Thomas Michael Peter Andreas Wolfgang Klaus Jürgen Stefan Christian Uwe Werner Hans Matthias Frank"
    " Alexander Martin"
    " Daniel Markus Johannes Sebastian Jörg Günter Dieter Bernd Jan Tobias Maximilian Lukas Florian Heinrich",
    "tr": "Mehmet Mustafa Ahmet Ali Hüseyin Hasan İbrahim Murat Yusuf Ömer Emre Kemal Serkan Cem",
    "pl": "Piotr Krzysztof Andrzej Tomasz Jan Paweł Michał Marcin Stanisław Jakub Adam Marek Łukasz Grzegorz"
    " Mateusz Wojciech",
    "gb": "David John Michael James William Robert Richard Thomas Christopher Andrew Stephen Daniel Matthew Edward"
    " Anthony",
    "us": "James Robert John Michael William David Richard Joseph Thomas Charles Christopher Daniel Matthew Anthony"
    " Edward",
    "es": "Antonio José Manuel Francisco David Juan Javier Daniel Carlos Jesús Alejandro Miguel Rafael Pedro Ángel",
    "fr": "Jean Pierre Michel Philippe Alain Nicolas Christophe Patrick Frédéric Laurent Julien Sébastien François"
    " Éric Olivier",
    "sv": "Lars Anders Mikael Johan Per Erik Karl Peter Jan Thomas Daniel Fredrik Björn Göran Håkan",
}
_FREQUENT_LAST = {
    "de": "Müller Schmidt Schneider Fischer Weber Meyer Wagner Becker Schulz Hoffmann Schäfer Koch Bauer Richter"
    " Klein Wolf"
    " Schröder Neumann Schwarz Zimmermann Braun Krüger Hofmann Hartmann Lange Schmitt Werner Krause Meier Lehmann"
    " Köhler Maier"
    " Jung Huber Kaiser Vogel Winkler Groß Böhm Jäger Günther",
    "tr": "Yılmaz Kaya Demir Şahin Çelik Yıldız Yıldırım Öztürk Aydın Özdemir Arslan Doğan Kılıç Aslan Çetin Kara"
    " Koç Kurt Özkan",
    "pl": "Nowak Kowalski Wiśniewski Wójcik Kowalczyk Kamiński Lewandowski Zieliński Szymański Woźniak Dąbrowski"
    " Kozłowski"
    " Jankowski Mazur Kwiatkowski Krawczyk Kaczmarek Piotrowski Grabowski Zając Pawłowski Król Wróbel Wieczorek"
    " Jabłoński",
    "gb": "Smith Jones Williams Taylor Brown Davies Evans Wilson Thomas Johnson Roberts Robinson Thompson Wright"
    " Walker White"
    " Edwards Hughes Green Hall Lewis Harris Clarke Patel Jackson Wood Turner Martin Cooper Hill Ward Morris"
    " O'Connor McDonald",
    "us": "Smith Johnson Williams Brown Jones Davis Miller Wilson Anderson Thomas Taylor Moore Jackson Martin Lee"
    " Thompson White"
    " Harris Clark Lewis Robinson Walker Young Allen King Wright Scott Hill Green Adams Baker Nelson O'Brien McCarthy",
    "es": "García Rodríguez González Fernández López Martínez Sánchez Pérez Gómez Martín Jiménez Ruiz Hernández"
    " Díaz Moreno Muñoz"
    " Álvarez Romero Alonso Gutiérrez Navarro Torres Domínguez Vázquez Ramos Gil Ramírez Serrano Núñez",
    "fr": "Martin Bernard Thomas Petit Robert Richard Durand Dubois Moreau Laurent Simon Michel Lefèvre Leroy Roux"
    " David Bertrand"
    " Morel Fournier Girard Bonnet Dupont Lambert Fontaine Rousseau Vincent Muller Lefèbvre Faure André Mercier"
    " Blanc Guérin",
    "sv": "Andersson Johansson Karlsson Nilsson Eriksson Larsson Olsson Persson Svensson Gustafsson Pettersson"
    " Jonsson Jansson"
    " Hansson Bengtsson Jönsson Lindberg Jakobsson Magnusson Lindström Lindqvist Lindgren Berg Bergström Sjöberg"
    " Åkesson",
}
# Short forms by language of the culture; whoever has one may be known by it in some systems.
_NICKNAMES = {
    "en": "William:Bill Robert:Bob Richard:Dick James:Jim John:Jack Michael:Mike Thomas:Tom Charles:Chuck"
    " Christopher:Chris"
    " Daniel:Dan Matthew:Matt Anthony:Tony Edward:Ted Joseph:Joe Andrew:Andy Stephen:Steve David:Dave Benjamin:Ben"
    " Samuel:Sam"
    " Alexander:Alex Nicholas:Nick Elizabeth:Liz Margaret:Peggy Patricia:Pat Jennifer:Jenny Katherine:Kate"
    " Rebecca:Becky"
    " Susan:Sue Deborah:Debbie Victoria:Vicky Christine:Chris Barbara:Barb Jessica:Jess Timothy:Tim Gregory:Greg"
    " Kenneth:Ken"
    " Ronald:Ron Donald:Don Jacqueline:Jackie Pamela:Pam Kimberly:Kim Amanda:Mandy Samantha:Sam Abigail:Abby"
    " Theresa:Terri",
    "de": "Johannes:Hannes Katharina:Kathi Elisabeth:Lisa Maximilian:Max Alexander:Alex Sebastian:Basti Matthias:Matze"
    " Christian:Chris Stefanie:Steffi Susanne:Susi Christina:Tina Gabriele:Gabi Michael:Micha Andreas:Andi Thomas:Tom"
    " Heinrich:Heinz Wolfgang:Wolf Günter:Günni Jürgen:Jürg Ursula:Uschi Angelika:Geli Tobias:Tobi Florian:Flo"
    " Margarete:Grete",
    "es": "Francisco:Paco José:Pepe Manuel:Manolo Dolores:Lola Josefa:Pepa Rosario:Charo Antonio:Toni"
    " Alejandro:Álex Rafael:Rafa"
    " Miguel:Migue Isabel:Isa Francisca:Paqui Teresa:Tere Daniel:Dani Cristina:Cris",
    "fr": "Frédéric:Fred Philippe:Phil Christophe:Chris Nicolas:Nico Patrick:Pat Sébastien:Seb Nathalie:Nath"
    " Isabelle:Isa"
    " Catherine:Cathy Valérie:Val Alexandre:Alex Françoise:Fanfan",
    "pl": "Aleksandra:Ola Katarzyna:Kasia Małgorzata:Gosia Agnieszka:Aga Magdalena:Magda Joanna:Asia Barbara:Basia"
    " Jakub:Kuba"
    " Piotr:Piotrek Tomasz:Tomek Krzysztof:Krzysiek Stanisław:Staszek Grzegorz:Grzesiek Wojciech:Wojtek Zofia:Zosia",
    "sv": "Kristina:Stina Margareta:Greta Fredrik:Fredde Mikael:Micke Lars:Lasse Birgitta:Gittan Karl:Kalle"
    " Johan:Johnny",
    "tr": "İbrahim:İbo Mehmet:Memo Zeynep:Zeyno",
}
_DOUBLE_FIRST = {
    "de": (
        "Hans-Peter Karl-Heinz Hans-Jürgen Klaus-Dieter Jan-Philipp",
        "Anna-Maria Eva-Maria Anne-Kathrin Marie-Luise",
    ),
    "fr": (
        "Jean-Pierre Jean-Luc Jean-François Pierre-Yves Jean-Marc",
        "Marie-Claire Anne-Sophie Marie-Christine Anne-Laure",
    ),
    "es": ("José Luis|Juan Carlos|José Antonio|Miguel Ángel", "Ana María|María José|María del Carmen|María Teresa"),
}
_TITLES = {
    "de": ("Dr.", "Prof. Dr.", "Dipl.-Ing."),
    "en": ("Dr", "Prof"),
    "fr": ("Dr",),
    "es": ("Dr.",),
    "pl": ("dr",),
    "sv": ("Dr",),
}


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
    head = (_FREQUENT_FEMALE if sex == "female" else _FREQUENT_MALE)[culture].split()
    double = _DOUBLE_FIRST.get(culture, ("", ""))[sex == "female"]
    doubles = double.split("|") if "|" in double else double.split()
    # Faker lists many pools by alphabet; shuffling keeps the tail from favouring names with A.
    tail = sorted(_usable(getattr(provider, f"first_names_{sex}")))
    np.random.default_rng(len(tail)).shuffle(tail)
    return _usable([*head[:10], *doubles, *head[10:], *tail])[:420]


@cache
def name_pool(culture: str) -> NamePool:
    """Build the names of a culture; the same in every run and on every machine."""
    provider = import_module(f"faker.providers.person.{_LOCALES[culture]}").Provider
    polish = culture == "pl"
    listed = [*provider.male_last_names, *provider.unisex_last_names] if polish else list(provider.last_names)
    tail = sorted(_usable(listed))
    np.random.default_rng(len(tail)).shuffle(tail)
    last = _usable([*_FREQUENT_LAST[culture].split(), *tail])[:1200]
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
        zipf(len(last), 6.0),
    )


@cache
def nicknames(culture: str) -> dict[str, str]:
    """Map the given names of a culture to their short forms."""
    language = "en" if culture in ("gb", "us") else culture
    return dict(pair.split(":") for pair in _NICKNAMES[language].split())


@cache
def academic_titles(language: str) -> tuple[str, ...]:
    """List the academic titles that a language puts before a name."""
    return _TITLES[language]


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


_TRADES = {
    "DE": (
        "Logistik",
        "Maschinenbau",
        "Immobilien",
        "Consulting",
        "Bau",
        "Elektrotechnik",
        "Medien",
        "Handel",
        "Software",
        "Metallbau",
    ),
    "GB": (
        "Logistics",
        "Engineering",
        "Estates",
        "Consulting",
        "Construction",
        "Catering",
        "Media",
        "Trading",
        "Software",
        "Interiors",
    ),
    "US": (
        "Logistics",
        "Engineering",
        "Realty",
        "Consulting",
        "Construction",
        "Foods",
        "Media",
        "Supply",
        "Software",
        "Design",
    ),
    "FR": (
        "Logistique",
        "Mécanique",
        "Immobilier",
        "Conseil",
        "Bâtiment",
        "Traiteur",
        "Médias",
        "Distribution",
        "Informatique",
    ),
    "ES": (
        "Logística",
        "Ingeniería",
        "Inmobiliaria",
        "Consultores",
        "Construcciones",
        "Alimentación",
        "Diseño",
        "Distribución",
    ),
    "PL": (
        "Logistyka",
        "Budownictwo",
        "Nieruchomości",
        "Doradztwo",
        "Transport",
        "Meble",
        "Media",
        "Handel",
        "Oprogramowanie",
    ),
    "SE": ("Logistik", "Bygg", "Fastigheter", "Konsult", "Måleri", "Livs", "Media", "Handel", "Data", "Snickeri"),
}
_JOB_LOCALES = {"DE": "de_AT", "GB": "en_US", "US": "en_US", "FR": "fr_FR", "ES": "es_ES", "PL": "pl_PL", "SE": "en_US"}


@cache
def companies(country: str, suffixes: tuple[str, ...], tld: str) -> tuple[TextArray, TextArray]:
    """Make the companies of a country and the domains of their e-mail addresses."""
    culture = {"DE": "de", "GB": "gb", "US": "us", "FR": "fr", "ES": "es", "PL": "pl", "SE": "sv"}[country]
    rng = np.random.default_rng([7, *country.encode()])
    names = list(name_pool(culture).last[:320])
    trades = _TRADES[country]
    company, domain = [], []
    for name in names:
        trade, suffix = trades[rng.integers(len(trades))], suffixes[rng.integers(len(suffixes))]
        company.append(f"{name} {trade} {suffix}" if rng.random() < 0.65 else f"{name} {suffix}")
        domain.append(f"{fold(name)}-{fold(trade)}.{tld}")
    return texts(company), texts(domain)


@cache
def jobs(country: str, female: bool) -> TextArray:
    """List the job titles of a country in the form for women or for men, capitalised and short."""
    provider = import_module(f"faker.providers.job.{_JOB_LOCALES[country]}").Provider
    listed = getattr(provider, "jobs_female" if female else "jobs_male", None) or provider.jobs
    titles = sorted({unicodedata.normalize("NFC", str(title)).strip() for title in listed})
    plain = [
        title[0].upper() + title[1:]
        for title in titles
        if 4 < len(title) < 27 and not set(title) & set("(),/*:&.0123456789")
    ]
    plain = [title for title in plain if "  " not in title]
    np.random.default_rng(len(plain)).shuffle(plain)
    return texts(plain[:150])
