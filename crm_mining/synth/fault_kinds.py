"""Kinds of faults: which columns of a table each spoils, how often, and what a warehouse ought to do about it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from crm_mining.synth import typos
from crm_mining.synth.geography import COUNTRIES

Spoiler = Callable[[np.random.Generator, str], str | None]
_MAIL_DOMAINS = frozenset(domain for spec in COUNTRIES for domain, _ in spec.mail_domains)
_CALLING_CODES = tuple(spec.calling_code for spec in COUNTRIES)
# Key of each table as delivered, and the instant that says on which day a row was first delivered.
KEYS: dict[str, tuple[str, ...]] = {
    "crm.contacts": ("contact_id",),
    "crm.opportunities": ("opportunity_id",),
    "crm.opportunity_stages": ("opportunity_id", "stage", "entered_at"),
    "shop.customers": ("customer_id",),
    "shop.products": ("product_id",),
    "shop.orders": ("order_id",),
    "shop.order_lines": ("order_id", "line_number"),
    "shop.web_events": ("event_id",),
    "support.requesters": ("requester_id",),
    "support.tickets": ("ticket_id",),
    "marketing.subscribers": ("subscriber_id",),
    "marketing.campaigns": ("campaign_id",),
    "marketing.touches": ("touch_id",),
}
PERSON_TABLES = ("crm.contacts", "shop.customers", "support.requesters", "marketing.subscribers")
MINIMUM = 18  # times that a kind occurs in the sample, whatever its share


@dataclass(frozen=True)
class Fault:
    """One way to spoil the cells of some columns of a table."""

    kind: str
    columns: tuple[str, ...]
    weight: float
    spoil: Spoiler | None  # None empties the cell
    expected: str = "repair"
    by_value: bool = False  # whether cells with large (or, for satisfaction, small) numbers are the likelier ones
    minimum: int = 0  # number at least in a world of the usual fault rate


def _domain_typo(rng: np.random.Generator, value: str) -> str | None:
    return typos.email_domain_typo(rng, value, _MAIL_DOMAINS)


def _notation(rng: np.random.Generator, value: str) -> str | None:
    return typos.phone_notation(rng, value, _CALLING_CODES)


def _international(rng: np.random.Generator, value: str) -> str | None:
    """Keep the country's code in the number, for tables that say the country nowhere else."""
    for _ in range(20):
        wrong = _notation(rng, value)
        if wrong is not None and wrong.startswith(("+", "00")):
            return wrong
    return None


def _other_currency(rng: np.random.Generator, value: str) -> str | None:
    others = [code for code in ("EUR", "GBP", "USD", "SEK", "PLN") if code != value]
    return others[int(rng.integers(len(others)))]


def _negative(rng: np.random.Generator, value: str) -> str | None:
    return None if value.startswith("-") else f"-{value}"


def _orphan(rng: np.random.Generator, value: str) -> str | None:
    """Write a key of the same form that exists nowhere: all real numbers stay far below."""
    return f"{value[0]}{int(rng.integers(8_000_000_000, 9_999_999_999))}"


def _vocabulary(*values: str) -> Spoiler:
    """Make a slip inside a word of a small vocabulary that does not give another of its words."""

    def spoil(rng: np.random.Generator, value: str) -> str | None:
        wrong = typos.typo(rng, value)
        return None if wrong in values else wrong

    return spoil


def person_faults(columns: set[str]) -> list[Fault]:
    """List what can go wrong in a person table with these columns; weights are shares of the table's faults."""
    names = tuple(name for name in ("first_name", "last_name", "full_name") if name in columns)
    parts = tuple(name for name in ("first_name", "last_name") if name in columns)
    written = (*names, *(name for name in ("city", "street", "company") if name in columns))
    phones = tuple(name for name in ("phone", "mobile") if name in columns)

    def some(*wanted: str) -> tuple[str, ...]:
        return tuple(name for name in wanted if name in columns)

    faults = [
        Fault("typo_name", names, 10, typos.typo),
        Fault("typo_street", some("street"), 6, typos.typo),
        Fault("typo_city", some("city"), 6, typos.typo),
        Fault("typo_email_local", some("email"), 6, typos.typo_email_local),
        Fault("typo_company", some("company"), 5, typos.typo, minimum=10),
        Fault("typo_job_title", some("job_title"), 5, typos.typo, minimum=MINIMUM),
        Fault("day_month_swapped", some("birth_date"), 6, typos.day_month_swapped),
        Fault(
            "missing_at_random",
            some("gender", "birth_date", *phones, "email", "city", "country", "postcode", "language"),
            9,
            None,
            "fill",
        ),
        Fault("missing_not_at_random", some("income", "household_size"), 6, None, "fill", by_value=True),
        Fault("email_domain_typo", some("email"), 8, _domain_typo),
        Fault("phone_notation", phones, 8, _notation if "country" in columns else _international),
        Fault("text_encoding", written, 6, typos.text_encoding),
        Fault("invisible_characters", (*written, *some("email")), 6, typos.invisible_characters),
        Fault("letter_case", (*names, *some("city", "email")), 7, typos.letter_case),
        Fault("unicode_decomposed", written, 4, typos.unicode_decomposed),
        Fault("extra_spaces", written, 5, typos.extra_spaces),
        Fault("address_notation", some("street"), 6, typos.address_notation),
        Fault("country_notation", some("country"), 6, typos.country_notation),
        Fault("gender_notation", some("gender"), 6, typos.gender_notation),
        Fault("title_in_name", some("first_name", "full_name"), 4, typos.title_before),
        Fault("title_in_name", some("last_name"), 1.5, typos.title_after),
        Fault("impossible_date", some("birth_date"), 4, typos.impossible_birth_date, "remove"),
    ]
    if len(parts) == 2:
        faults.append(Fault("name_parts_swapped", parts, 5, None))
    return [fault for fault in faults if fault.columns]


def event_faults(table: str) -> list[Fault]:
    """List what can go wrong in an event table or in the products; weights are shares of the table's faults."""
    reject = "reject"
    return {
        "shop.products": [
            Fault("typo_product_name", ("product_name",), 6, typos.typo, minimum=15),
            Fault("missing_at_random", ("category", "unit_cost"), 2, None, "fill", minimum=4),
            Fault("typo_vocabulary", ("category",), 2, _vocabulary(), minimum=3),
        ],
        "marketing.campaigns": [
            Fault("typo_vocabulary", ("channel",), 1, _vocabulary("email", "sms", "post", "ads"), minimum=1)
        ],
        "shop.orders": [
            Fault("typo_vocabulary", ("channel", "status"), 6, _vocabulary(), minimum=MINIMUM),
            Fault("missing_at_random", ("channel",), 4, None, "fill"),
            Fault("currency_mixed_up", ("currency",), 5, _other_currency, minimum=MINIMUM),
            Fault("future_date", ("ordered_at",), 4, typos.future_instant, reject),
            Fault("impossible_date", ("ordered_at",), 3, typos.impossible_instant, reject),
            Fault("orphan_key", ("customer_id",), 3, _orphan, reject),
            Fault("missing_key", ("order_id",), 2, None, reject, minimum=4),
        ],
        "shop.order_lines": [
            Fault("price_off_by_100", ("unit_price",), 6, typos.price_off_by_100, minimum=MINIMUM),
            Fault("negative_quantity", ("quantity",), 6, _negative, minimum=MINIMUM),
            Fault("orphan_key", ("order_id", "product_id"), 3, _orphan, reject),
            Fault("missing_key", ("order_id",), 2, None, reject, minimum=4),
        ],
        "support.tickets": [
            Fault("typo_subject", ("subject",), 6, typos.typo, minimum=MINIMUM),
            Fault("typo_vocabulary", ("category", "priority", "status"), 3, _vocabulary()),
            Fault("missing_not_at_random", ("satisfaction",), 4, None, "fill", by_value=True),
            Fault("missing_at_random", ("category", "channel"), 1, None, "fill"),
            Fault("future_date", ("opened_at",), 1.5, typos.future_instant, reject),
            Fault("impossible_date", ("opened_at",), 1, typos.impossible_instant, reject),
            Fault("orphan_key", ("requester_id",), 1.5, _orphan, reject),
            Fault("missing_key", ("ticket_id",), 1, None, reject, minimum=3),
        ],
        "marketing.touches": [
            Fault("future_date", ("touched_at",), 3, typos.future_instant, reject),
            Fault("impossible_date", ("touched_at",), 2, typos.impossible_instant, reject),
            Fault("orphan_key", ("subscriber_id", "campaign_id"), 3, _orphan, reject),
        ],
        "shop.web_events": [
            Fault("future_date", ("event_at",), 3, typos.future_instant, reject),
            Fault("impossible_date", ("event_at",), 2, typos.impossible_instant, reject),
        ],
        "crm.opportunities": [
            Fault("typo_vocabulary", ("stage",), 3, _vocabulary("won", "lost")),
            Fault("future_date", ("created_at",), 2, typos.future_instant, reject),
            Fault("orphan_key", ("contact_id",), 2, _orphan, reject),
            Fault("missing_key", ("opportunity_id",), 1, None, reject, minimum=3),
        ],
        "crm.opportunity_stages": [
            Fault("future_date", ("entered_at",), 3, typos.future_instant, reject),
            Fault("impossible_date", ("entered_at",), 2, typos.impossible_instant, reject),
            Fault("orphan_key", ("opportunity_id",), 3, _orphan, reject),
        ],
    }.get(table, [])
