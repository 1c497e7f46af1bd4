"""Tickets of the service desk: product and channel say what they are about, the life says how they end."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from crm_mining.common.arrays import BoolArray, IntArray, TextArray
from crm_mining.synth.arrays import draw, draw_by_row, look_up, rank_within, texts
from crm_mining.synth.calendar import DAY, END, FIRST_DAY_OF_MONTH, N_MONTHS, START, month_of
from crm_mining.synth.catalog import CATEGORIES as PRODUCT_CATEGORIES
from crm_mining.synth.catalog import Catalog
from crm_mining.synth.geography import COUNTRIES
from crm_mining.synth.lifecycle import Lives
from crm_mining.synth.people import People
from crm_mining.synth.purchases import CHANNELS as ORDER_CHANNELS
from crm_mining.synth.purchases import Orders

CATEGORIES = ("delivery", "return", "billing", "product", "account")
CHANNELS = ("email", "phone", "chat", "web")
PRIORITIES = ("low", "normal", "high", "urgent")
STATUSES = ("open", "pending", "closed")
# Chance of each ticket category by category of the product, before the order's channel has its say.
_BY_PRODUCT = {
    "Coffee & Tea": (0.25, 0.10, 0.12, 0.48, 0.05),
    "Kitchen": (0.32, 0.20, 0.13, 0.30, 0.05),
    "Garden": (0.50, 0.12, 0.10, 0.23, 0.05),
    "Tools": (0.22, 0.18, 0.12, 0.43, 0.05),
    "Pets": (0.45, 0.12, 0.22, 0.16, 0.05),
    "Outdoor": (0.25, 0.37, 0.10, 0.23, 0.05),
    "Office": (0.28, 0.14, 0.38, 0.15, 0.05),
    "Home Textiles": (0.18, 0.52, 0.10, 0.15, 0.05),
}
_BY_ORDER_CHANNEL = {
    "web": (1.1, 1.0, 1.0, 1.0, 1.0),
    "app": (1.0, 1.0, 0.8, 0.9, 3.0),
    "store": (0.15, 1.2, 1.0, 1.6, 0.5),
    "phone": (1.1, 0.9, 1.8, 0.8, 0.6),
}
_WITHOUT_ORDER = (0.02, 0.03, 0.25, 0.15, 0.55)
_SUBJECTS = {
    "en": {
        "delivery": ("Where is my order?", "Parcel has not arrived", "Delivered to the wrong address", "Delivery date"),
        "return": ("How do I return this?", "Refund still missing", "Wrong size, want to send back", "Return label"),
        "billing": ("Charged twice", "Invoice needed", "Discount code not applied", "Question about my invoice"),
        "product": ("Item damaged", "Part is missing", "Does not work as described", "Question about the product"),
        "account": ("Cannot log in", "Change my address", "Delete my account", "Newsletter settings"),
    },
    "de": {
        "delivery": (
            "Wo bleibt meine Bestellung?",
            "Paket nicht angekommen",
            "An falsche Adresse geliefert",
            "Liefertermin",
        ),
        "return": ("Rücksendung", "Erstattung fehlt noch", "Falsche Größe, möchte umtauschen", "Rücksendeetikett"),
        "billing": ("Doppelt abgebucht", "Rechnung benötigt", "Gutscheincode nicht verrechnet", "Frage zur Rechnung"),
        "product": ("Artikel beschädigt", "Teil fehlt", "Funktioniert nicht", "Frage zum Produkt"),
        "account": ("Anmeldung nicht möglich", "Adresse ändern", "Konto löschen", "Newsletter abbestellen"),
    },
}


@dataclass(frozen=True)
class Tickets:
    """Tickets as parallel arrays, sorted by time; instants are 0 and positions -1 where there is none."""

    person: IntArray
    order: IntArray
    product: IntArray
    opened_at: IntArray
    closed_at: IntArray
    channel: IntArray
    category: IntArray
    priority: IntArray
    status: IntArray
    satisfaction: IntArray
    subject: pa.Array


def _subjects(rng: np.random.Generator, category: IntArray, country: IntArray) -> pa.Array:
    """Draw the first line of each request in German or English."""
    german = np.array([spec.language == "de" for spec in COUNTRIES])[country]
    pool: TextArray = texts(
        [line for language in ("en", "de") for name in CATEGORIES for line in _SUBJECTS[language][name]]
    )
    position = german * 4 * len(CATEGORIES) + category * 4 + draw(rng, (0.45, 0.25, 0.18, 0.12), len(category))
    return look_up(pool, position)


def open_tickets(
    rng: np.random.Generator, people: People, lives: Lives, orders: Orders, goods: Catalog, ends_at: IntArray
) -> Tickets:
    """Write the tickets that the lives foresaw, each about an order of that month or about the account.

    Parameters
    ----------
    rng
        Source of randomness.
    people, lives, orders
        The chunk's persons, their months, and their orders.
    goods
        The assortment.
    ends_at
        Instant at which each person is lost; tickets come before it.
    """
    with_order = np.flatnonzero(orders.has_ticket)
    person, month = np.nonzero(lives.other_tickets)
    first = np.maximum(people.joined_at[person], START + FIRST_DAY_OF_MONTH[month] * DAY)
    last = START + FIRST_DAY_OF_MONTH[month + 1] * DAY - 1
    alone_at = first + (rng.random(len(person)) * (last - first)).astype(np.int64)
    n_with, n = len(with_order), len(with_order) + len(person)
    who = np.concatenate([orders.person[with_order], person])
    order = np.concatenate([with_order, np.full(len(person), -1)])
    delay = (rng.gamma(1.8, 2.2, n_with) * DAY).astype(np.int64) + 3600
    opened_at = np.concatenate([orders.at[with_order] + delay, alone_at])
    fits = (opened_at <= END) & (opened_at < ends_at[who])

    # A ticket about an order concerns its first line.
    first_line = np.searchsorted(orders.line_order, np.maximum(order, 0))
    product = np.where(order >= 0, orders.line_product[first_line], -1) if len(orders.line_product) else np.full(n, -1)
    weights = np.array([
        [a * b for a, b in zip(_BY_PRODUCT[name], _BY_ORDER_CHANNEL[channel], strict=True)]
        for name in PRODUCT_CATEGORIES
        for channel in ORDER_CHANNELS
    ] + [_WITHOUT_ORDER])  # fmt: skip
    row = goods.category[np.maximum(product, 0)] * len(ORDER_CHANNELS) + orders.channel[np.maximum(order, 0)]
    category = draw_by_row(rng, weights, np.where(order >= 0, row, len(weights) - 1))
    about_product = (order >= 0) & (rng.random(n) < np.where(category == CATEGORIES.index("product"), 1.0, 0.5))

    # The life says how many tickets of the month went badly; which ones is drawn here.
    month_of_cause = np.concatenate([month_of(orders.at[with_order]), month])
    cell = who * N_MONTHS + month_of_cause
    by_cell = np.lexsort((rng.random(n), cell))
    rank = np.empty(n, dtype=np.int64)
    rank[by_cell] = rank_within(cell[by_cell])
    is_bad = rank < lives.bad_tickets[who, month_of_cause]
    satisfaction = np.where(is_bad, 1 + draw(rng, (0.6, 0.4), n), 3 + draw(rng, (0.2, 0.4, 0.4), n))
    satisfaction = np.where(rng.random(n) < 0.58, satisfaction, 0)
    priority = np.where(is_bad, 1 + draw(rng, (0.45, 0.40, 0.15), n), draw(rng, (0.25, 0.60, 0.12, 0.03), n))
    hours = rng.lognormal(np.where(is_bad, 4.2, 3.1) - 0.3 * (priority - 1), 0.8)
    closed_at = opened_at + (hours * 3600).astype(np.int64) + 120
    is_closed = closed_at <= END
    status = np.where(is_closed, 2, draw(rng, (0.6, 0.4), n))
    country = people.country[who]
    channel = draw(rng, (0.45, 0.22, 0.20, 0.13), n)
    subject = _subjects(rng, category, country)

    keep = np.flatnonzero(fits)
    keep = keep[np.lexsort((who[keep], opened_at[keep]))]
    pick: BoolArray | IntArray = keep
    return Tickets(
        person=who[pick],
        order=order[pick],
        product=np.where(about_product, product, -1)[pick],
        opened_at=opened_at[pick],
        closed_at=np.where(is_closed, closed_at, 0)[pick],
        channel=channel[pick],
        category=category[pick],
        priority=priority[pick],
        status=status[pick],
        satisfaction=np.where(is_closed, satisfaction, 0)[pick],
        subject=pc.take(subject, pa.array(pick)),
    )
