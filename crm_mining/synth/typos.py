"""How single values go wrong: slips of the keyboard, foreign notations, broken encodings.

Each function takes the right value and returns a wrong one, or None where the value can't go wrong in that way.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache

import numpy as np

from crm_mining.synth.lookup import column

_ROWS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
_NEIGHBOURS = {
    letter: [row[near] for near in (place - 1, place + 1) if 0 <= near < len(row)]
    for row in _ROWS
    for place, letter in enumerate(row)
}
_INVISIBLE = ("\u200b", "\u00a0", "\u00ad", "\ufeff", "\u200e", "\u200f", "\u202a", "\u2060")
#: Tries to make a slip that changes the value.
_SLIP_TRIES, _DOMAIN_TRIES = 20, 10


@cache
def _other_words(kind: str) -> dict[str, tuple[str, ...]]:
    """Read what people write instead of a word or code."""
    right = dict.fromkeys(column("notations", "right", kind=kind))
    return {word: column("notations", "wrong", kind=kind, right=word) for word in right}


def typo(rng: np.random.Generator, value: str) -> str | None:
    """Make one slip: a neighbouring key, two letters exchanged, one left out, doubled or pressed besides."""
    places = [place for place, letter in enumerate(value) if letter.isalpha()]
    if len(places) < 3:
        return None
    for _ in range(_SLIP_TRIES):
        place = places[int(rng.integers(1, len(places)))]  # the first letter is seldom wrong
        letter, kind = value[place], int(rng.integers(5))
        near = _NEIGHBOURS.get(letter.lower(), ["e", "a"])
        other = near[int(rng.integers(len(near)))]
        other = other.upper() if letter.isupper() else other
        if kind == 0:
            wrong = value[:place] + other + value[place + 1 :]
        elif kind == 1 and place + 1 < len(value) and value[place + 1].isalpha():
            wrong = value[:place] + value[place + 1] + letter + value[place + 2 :]
        elif kind == 2:
            wrong = value[:place] + value[place + 1 :]
        elif kind == 3:
            wrong = value[:place] + letter + value[place:]
        else:
            wrong = value[:place] + other + value[place:]
        if wrong != value:
            return wrong
    return None


def typo_email_local(rng: np.random.Generator, value: str) -> str | None:
    """Make a slip before the @."""
    local, _, domain = value.partition("@")
    wrong = typo(rng, local)
    return None if wrong is None or not domain else f"{wrong}@{domain}"


def email_domain_typo(rng: np.random.Generator, value: str, known: frozenset[str]) -> str | None:
    """Make a slip in the domain of a large provider, that does not lead to another provider."""
    local, _, domain = value.partition("@")
    if domain not in known:
        return None
    for _ in range(_DOMAIN_TRIES):
        wrong = typo(rng, domain)
        if wrong is not None and wrong not in known:
            return f"{local}@{wrong}"
    return None


def phone_notation(rng: np.random.Generator, value: str, calling_codes: tuple[str, ...]) -> str | None:
    """Write an E.164 number in one of ten other notations; national ones only where the country is known elsewhere."""
    code = next((code for code in calling_codes if value.startswith("+" + code)), None)
    if code is None:
        return None
    rest = value[1 + len(code) :]
    cut = 3 if len(rest) > 8 else 2
    area, local = rest[:cut], rest[cut:]
    trunk = "" if code in ("1", "34", "48") else "0"
    middle = len(local) // 2
    notations = (
        f"{trunk}{area} {local[:middle]} {local[middle:]}",
        f"{trunk}{area}/{local}",
        f"{trunk}{area}-{local[:middle]}-{local[middle:]}",
        f"({trunk}{area}) {local}",
        f"00{code}{rest}",
        f"00{code} {area} {local}",
        f"+{code} (0){area} {local}" if trunk else f"+{code} ({area}) {local}",
        f"{trunk}{area}.{local[:middle]}.{local[middle:]}",
        f"+{code} {area} {local[:middle]} {local[middle:]}",
        f"{trunk}{rest}",
    )
    wrong = notations[int(rng.integers(len(notations)))]
    return wrong if wrong != value else None


def text_encoding(rng: np.random.Generator, value: str) -> str | None:
    """Read the value's UTF-8 as if it were Windows-1252, or Latin-1 where that has no letter for a byte."""
    if value.isascii():
        return None
    raw = value.encode()
    try:
        return raw.decode("cp1252")
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def invisible_characters(rng: np.random.Generator, value: str) -> str | None:
    """Put one or two characters that no one sees into the value; a no-break space takes the place of a blank."""
    if len(value) < 2:
        return None
    mark = _INVISIBLE[int(rng.integers(len(_INVISIBLE)))]
    if mark == "\u00a0":
        return value.replace(" ", mark, 1) if " " in value else value + mark
    for _ in range(int(rng.integers(1, 3))):
        place = int(rng.integers(0, len(value) + 1))
        value = value[:place] + mark + value[place:]
    return value


def letter_case(rng: np.random.Generator, value: str) -> str | None:
    """Write everything in capitals, or everything small."""
    if set(value) & set("ßİı"):  # their capitals or small letters are other letters
        return None
    wrong = value.upper() if rng.random() < 0.6 or value == value.lower() else value.lower()
    return wrong if wrong != value else None


def unicode_decomposed(rng: np.random.Generator, value: str) -> str | None:
    """Take accents apart from their letters (NFD)."""
    wrong = unicodedata.normalize("NFD", value)
    return wrong if wrong != value else None


def extra_spaces(rng: np.random.Generator, value: str) -> str | None:
    """Double a blank inside, or put one at an end where there is none inside."""
    if " " in value:
        return value.replace(" ", " " * int(rng.integers(2, 4)), 1)
    return f" {value}" if rng.random() < 0.5 else f"{value} "


def address_notation(rng: np.random.Generator, value: str) -> str | None:
    """Shorten the word for street as people do."""
    fitting = [(word, short) for word, short in _other_words("street").items() if word in value]
    if not fitting:
        return None
    word, short = fitting[int(rng.integers(len(fitting)))]
    wrong = value.replace(word, short[int(rng.integers(len(short)))], 1)
    return wrong if wrong != value else None


def _other_word(rng: np.random.Generator, kind: str, value: str) -> str | None:
    """Choose another word for a code."""
    choice = _other_words(kind).get(value)
    return None if choice is None else choice[int(rng.integers(len(choice)))]


def country_notation(rng: np.random.Generator, value: str) -> str | None:
    """Name the country otherwise than by its ISO code."""
    return _other_word(rng, "country", value)


def gender_notation(rng: np.random.Generator, value: str) -> str | None:
    """Name the gender otherwise than by f, m, x."""
    return _other_word(rng, "gender", value)


def title_before(rng: np.random.Generator, value: str) -> str | None:
    """Put a form of address or a title before a name."""
    return f"{_other_word(rng, 'title_before', '')} {value}"


def title_after(rng: np.random.Generator, value: str) -> str | None:
    """Put a suffix behind a last name."""
    return f"{value} {_other_word(rng, 'title_after', '')}"


def day_month_swapped(rng: np.random.Generator, value: str) -> str | None:
    """Write YYYY-DD-MM for YYYY-MM-DD, where that is another text."""
    year, month, day = value.split("-")
    return f"{year}-{day}-{month}" if day != month else None


def impossible_birth_date(rng: np.random.Generator, value: str) -> str | None:
    """Write a date on which nobody living was born."""
    year, month, day = value.split("-")
    kind = int(rng.integers(5))
    if kind == 0:
        return "0000-00-00"
    if kind == 1:
        return f"{year}-02-30"
    if kind == 2:
        return f"{int(rng.integers(1802, 1880))}-{month}-{day}"
    if kind == 3:
        return f"{int(rng.integers(2031, 2090))}-{month}-{day}"
    return f"{year}-{month}-{int(rng.integers(32, 40))}"


def impossible_instant(rng: np.random.Generator, value: str) -> str | None:
    """Write an instant that is in no calendar."""
    year, rest = value[:4], value[10:]
    return (f"{year}-02-30{rest}", "0000-00-00 00:00:00", f"{year}-13-{value[8:]}", f"{year}-{value[5:7]}-00{rest}")[
        int(rng.integers(4))
    ]


def future_instant(rng: np.random.Generator, value: str) -> str | None:
    """Write an instant years after the end of the world; the 29th of February becomes the 28th."""
    year = ("2031", "2038", "2099", "2205")[int(rng.integers(4))]
    return re.sub(r"^....-02-29", f"{year}-02-28", year + value[4:]) if value[5:10] == "02-29" else year + value[4:]


def price_off_by_100(rng: np.random.Generator, value: str) -> str | None:
    """Move the decimal point by two places, to either side."""
    whole, _, cents = value.partition(".")
    if rng.random() < 0.6:
        return f"{whole}{cents}.00"
    digits = whole.rjust(3, "0")
    return f"{digits[:-2]}.{digits[-2:]}{cents}"
