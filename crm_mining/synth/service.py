"""Tickets of the service desk: product and channel say what they are about, the life says how they end."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from crm_mining.common.arrays import BoolArray, FloatArray, IntArray, TextArray
from crm_mining.synth.arrays import draw, draw_by_row, look_up, rank_within, texts
from crm_mining.synth.calendar import DAY, END, FIRST_DAY_OF_MONTH, N_MONTHS, START, month_of
from crm_mining.synth.catalog import CATEGORIES as PRODUCT_CATEGORIES
from crm_mining.synth.catalog import Catalog
from crm_mining.synth.geography import COUNTRIES
from crm_mining.synth.lifecycle import Lives
from crm_mining.synth.lookup import column, rows
from crm_mining.synth.people import People
from crm_mining.synth.purchases import CHANNELS as ORDER_CHANNELS
from crm_mining.synth.purchases import Orders

CATEGORIES = ("delivery", "return", "billing", "product", "account")
CHANNELS = ("email", "phone", "chat", "web")
PRIORITIES = ("low", "normal", "high", "urgent")
STATUSES = ("open", "pending", "closed")
#: Of the lines that open a ticket, the first is the most frequent.
_SUBJECT_SHARES = (0.45, 0.25, 0.18, 0.12)
#: Seconds between an order and its ticket: shape and scale of a Gamma distribution in days, and the least delay.
_DELAY_SHAPE, _DELAY_DAYS, _LEAST_DELAY = 1.8, 2.2, 3600
_NAMES_PRODUCT = 0.5  # share of tickets about an order, not about its product, that name the product all the same
#: Satisfaction from 1 on after a bad ticket, from 3 on after another, and how many answer.
_BAD_SATISFACTION, _GOOD_SATISFACTION, _ANSWERS = (0.6, 0.4), (0.2, 0.4, 0.4), 0.58
#: Priority: of bad tickets from normal to urgent, of others from low to urgent.
_BAD_PRIORITY, _GOOD_PRIORITY = (0.45, 0.40, 0.15), (0.25, 0.60, 0.12, 0.03)
#: Hours to close: mean of the logarithm of a bad and of another ticket, what a step of priority takes off it, standard
#: deviation; and the seconds that the shortest answer takes.
_BAD_LOG_HOURS, _GOOD_LOG_HOURS, _PRIORITY_LOG_HOURS, _HOURS_DEVIATION, _SHORTEST_ANSWER = 4.2, 3.1, 0.3, 0.8, 120
_UNCLOSED_SHARES = (0.6, 0.4)  # open, pending
_CHANNEL_SHARES = (0.45, 0.22, 0.20, 0.13)


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
        [line for language in ("en", "de") for name in CATEGORIES for line in _subject_lines(language, name)]
    )
    n_lines = len(_SUBJECT_SHARES)
    line = draw(rng, _SUBJECT_SHARES, len(category))
    return look_up(pool, german * n_lines * len(CATEGORIES) + category * n_lines + line)


def _subject_lines(language: str, category: str) -> tuple[str, ...]:
    return column("ticket_subjects", "subject", language=language, category=category)


def _category_weights() -> FloatArray:
    """How likely each ticket category is: a row per product category and order channel, and one without an order."""
    causes = {
        (row["kind"], row["cause"]): np.array([float(row[name]) for name in CATEGORIES])
        for row in rows("ticket_causes")
    }
    of_orders = [
        causes["product", name] * causes["channel", channel]
        for name in PRODUCT_CATEGORIES
        for channel in ORDER_CHANNELS
    ]
    return np.array([*of_orders, causes["none", ""]])


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
    opened = _openings(rng, people, lives, orders)
    n, who, order = len(opened.person), opened.person, opened.order
    fits = (opened.at <= END) & (opened.at < ends_at[who])
    category, product = _causes(rng, opened, orders, goods)

    is_bad = _is_bad(rng, opened, lives)
    satisfaction = np.where(is_bad, 1 + draw(rng, _BAD_SATISFACTION, n), 3 + draw(rng, _GOOD_SATISFACTION, n))
    satisfaction = np.where(rng.random(n) < _ANSWERS, satisfaction, 0)
    priority = np.where(is_bad, 1 + draw(rng, _BAD_PRIORITY, n), draw(rng, _GOOD_PRIORITY, n))
    log_hours = np.where(is_bad, _BAD_LOG_HOURS, _GOOD_LOG_HOURS) - _PRIORITY_LOG_HOURS * (priority - 1)
    hours = rng.lognormal(log_hours, _HOURS_DEVIATION)
    closed_at = opened.at + (hours * 3600).astype(np.int64) + _SHORTEST_ANSWER
    is_closed = closed_at <= END
    status = np.where(is_closed, STATUSES.index("closed"), draw(rng, _UNCLOSED_SHARES, n))
    channel = draw(rng, _CHANNEL_SHARES, n)
    subject = _subjects(rng, category, people.country[who])

    keep = np.flatnonzero(fits)
    keep = keep[np.lexsort((who[keep], opened.at[keep]))]
    return Tickets(
        person=who[keep],
        order=order[keep],
        product=product[keep],
        opened_at=opened.at[keep],
        closed_at=np.where(is_closed, closed_at, 0)[keep],
        channel=channel[keep],
        category=category[keep],
        priority=priority[keep],
        status=status[keep],
        satisfaction=np.where(is_closed, satisfaction, 0)[keep],
        subject=pc.take(subject, pa.array(keep)),
    )


@dataclass(frozen=True)
class _Openings:
    """Who opens a ticket about which order (-1: none), when, and in which month its cause lies."""

    person: IntArray
    order: IntArray
    at: IntArray
    month: IntArray


def _openings(rng: np.random.Generator, people: People, lives: Lives, orders: Orders) -> _Openings:
    """Place the tickets about orders, then those about the account."""
    with_order = np.flatnonzero(orders.has_ticket)
    person, month = np.nonzero(lives.other_tickets)
    first = np.maximum(people.joined_at[person], START + FIRST_DAY_OF_MONTH[month] * DAY)
    last = START + FIRST_DAY_OF_MONTH[month + 1] * DAY - 1
    alone_at = first + (rng.random(len(person)) * (last - first)).astype(np.int64)
    delay = (rng.gamma(_DELAY_SHAPE, _DELAY_DAYS, len(with_order)) * DAY).astype(np.int64) + _LEAST_DELAY
    return _Openings(
        np.concatenate([orders.person[with_order], person]),
        np.concatenate([with_order, np.full(len(person), -1)]),
        np.concatenate([orders.at[with_order] + delay, alone_at]),
        np.concatenate([month_of(orders.at[with_order]), month]),
    )


def _causes(rng: np.random.Generator, opened: _Openings, orders: Orders, goods: Catalog) -> tuple[IntArray, IntArray]:
    """Draw what each ticket is about, and the product it names or -1. One about an order concerns its first line."""
    order, n = opened.order, len(opened.order)
    first_line = np.searchsorted(orders.line_order, np.maximum(order, 0))
    product = np.where(order >= 0, orders.line_product[first_line], -1) if len(orders.line_product) else np.full(n, -1)
    weights = _category_weights()
    row = goods.category[np.maximum(product, 0)] * len(ORDER_CHANNELS) + orders.channel[np.maximum(order, 0)]
    category = draw_by_row(rng, weights, np.where(order >= 0, row, len(weights) - 1))
    names_it = rng.random(n) < np.where(category == CATEGORIES.index("product"), 1.0, _NAMES_PRODUCT)
    return category, np.where((order >= 0) & names_it, product, -1)


def _is_bad(rng: np.random.Generator, opened: _Openings, lives: Lives) -> BoolArray:
    """Draw which tickets went badly; the life says how many of each month did."""
    cell = opened.person * N_MONTHS + opened.month
    by_cell = np.lexsort((rng.random(len(cell)), cell))
    rank = np.empty(len(cell), dtype=np.int64)
    rank[by_cell] = rank_within(cell[by_cell])
    return np.asarray(rank < lives.bad_tickets[opened.person, opened.month])
