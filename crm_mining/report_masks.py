"""What of a value may be shown on a page that is mailed around."""

import json
import re
import unicodedata

#: Columns that say nothing about a person. Any other is masked, also those that a later contract adds.
SHOWN_COLUMNS = frozenset(
    {
        "category", "channel", "country", "currency", "currency_code", "discount_amount", "language", "list_price",
        "name", "n_lines", "order_type", "payment_method", "priority", "product_category", "product_name", "quantity",
        "stage", "status", "subcategory", "unit_cost", "unit_price", "weight_kg", "ordered_at", "shipped_at",
        "delivered_at", "opened_at", "closed_at", "entered_at", "sent_at",
    }
)  # fmt: skip
#: Tables in which even a country or a language is a person's.
PERSON_TABLES = frozenset({"crm.contacts", "shop.customers", "support.requesters", "marketing.subscribers"})
_PLAIN_KEY = re.compile(r"[A-Za-z]{0,4}[0-9]{1,8}")


def masked(text: str | None) -> str | None:
    """Replace letters by x or X and digits by 9; spaces, case and punctuation stay: what a rule changed can be seen.

    Examples
    --------
    >>> masked("Jürgen  o'neil, +49 171")
    "Xxxxxx  x'xxxx, +99 999"
    """
    if text is None:
        return None
    return "".join(_mask(character) for character in text)


def _mask(character: str) -> str:
    kind = unicodedata.category(character)
    if kind[0] == "N":
        return "9"
    if kind in ("Lu", "Lt"):
        return "X"
    return "x" if kind[0] in "LMSC" and character != "+" else character


def value(text: str | None, source_table: str, column: str, show_personal_data: bool) -> str | None:
    """Give the value as it may be shown: as it is, or masked unless its column is known to hold nothing personal."""
    is_plain = column in SHOWN_COLUMNS and source_table not in PERSON_TABLES
    return text if show_personal_data or is_plain else masked(text)


def key(text: str | None, show_personal_data: bool) -> str | None:
    """Give the key as it may be shown: C1023 as it is, but not an e-mail address or a phone number that serves as key.

    Examples
    --------
    >>> key("C1023", False), key("an.na@x.de", False)
    ('C1023', 'xx.xx@x.xx')
    """
    if text is None:
        return None
    return text if show_personal_data or _PLAIN_KEY.fullmatch(text) else masked(text)


def record(raw_record: str | None, source_table: str, show_personal_data: bool) -> str:
    """Give a raw row (JSON text) as `column: value` pairs, each value as it may be shown."""
    fields = json.loads(raw_record or "{}")
    return "; ".join(
        f"{name}: {value(str(text), source_table, name, show_personal_data)}"
        for name, text in fields.items()
        if text is not None
    )
