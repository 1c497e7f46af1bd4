"""Visits to the web shop: those that end in a purchase, those that do not, and those of strangers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from crm_mining.common.arrays import BoolArray, FloatArray, IntArray
from crm_mining.synth.arrays import draw, draw_by_row, rank_within
from crm_mining.synth.calendar import DAY, FIRST_DAY_OF_MONTH, N_MONTHS, START, draw_instants, month_of
from crm_mining.synth.catalog import NEED_GROUP_SHARES, Catalog
from crm_mining.synth.lifecycle import Lives
from crm_mining.synth.people import People
from crm_mining.synth.purchases import CHANNELS, Orders

EVENTS = ("page_view", "search", "product_view", "add_to_cart", "checkout", "purchase")
PAGES = ("/", "/search", "/p", "/cart", "/checkout", "/thanks")
SOURCES = ("direct", "search", "e-mail", "ads")
PAGE_VIEW, SEARCH, PRODUCT_VIEW, ADD_TO_CART, CHECKOUT, PURCHASE = range(6)
_STRANGERS = 0.25  # visits of strangers for each visit of a customer without a purchase
_STRANGER_DAYS = 1090  # strangers come within this many days from the first one on
_VIEWS = 0.8  # mean of the Poisson number of products looked at beside the first
#: Share of visits in which the customer is logged in: with a purchase, and without.
_LOGGED_IN_TO_BUY, _LOGGED_IN = 0.85, 0.45
_SECOND_DEVICE = 0.25
_SOURCE_SHARES = (0.34, 0.33, 0.15, 0.18)
#: Visits without a purchase that come to a cart, and those of them that come to the checkout; visits with a search.
_CART, _CHECKOUT, _SEARCH = 0.16, 0.35, 0.25
_PAUSE, _LEAST_PAUSE = 50, 3  # seconds between two events: mean beyond the least one


@dataclass(frozen=True)
class WebEvents:
    """Events as parallel arrays, sorted by time."""

    visitor: IntArray
    person: IntArray  # who was logged in, -1 for nobody
    session: IntArray
    at: IntArray
    event: IntArray
    product: IntArray  # -1 where none is shown
    source: IntArray


def browse(
    rng: np.random.Generator,
    people: People,
    lives: Lives,
    orders: Orders,
    goods: Catalog,
    day_weight: FloatArray,
    ends_at: IntArray,
) -> WebEvents:
    """Write the visits of persons whose visits are recorded, and of strangers.

    Parameters
    ----------
    rng
        Source of randomness.
    people, lives, orders
        The chunk's persons, their months, and their orders.
    goods
        The assortment.
    day_weight
        Demand by day.
    ends_at
        Instant at which each person is lost.
    """
    visits = _visits(rng, people, lives, orders, day_weight)
    who, order, n = visits.person, visits.order, len(visits.person)
    is_known = who >= 0
    device = np.where(rng.random(n) < 1 - _SECOND_DEVICE, 0, 1)
    visitor = np.where(is_known, who * 2 + device, 2 * people.n + np.arange(n))
    logged_in = is_known & ((order >= 0) & (rng.random(n) < _LOGGED_IN_TO_BUY) | (rng.random(n) < _LOGGED_IN))
    source = draw(rng, _SOURCE_SHARES, n)
    needs = np.where(is_known, people.need_group[np.maximum(who, 0)], draw(rng, NEED_GROUP_SHARES, n))
    session, event = _steps(rng, order)
    product = _products(rng, session, event, visits, needs, orders, goods)
    at, started = _instants(rng, session, visits.until)
    inside: BoolArray = (started >= START) & np.where(is_known, visits.until < ends_at[np.maximum(who, 0)], True)
    keep = np.flatnonzero(inside[session])
    keep = keep[np.lexsort((event[keep], at[keep]))]
    return WebEvents(
        visitor=visitor[session][keep],
        person=np.where(logged_in, who, -1)[session][keep],
        session=session[keep],
        at=at[keep],
        event=event[keep],
        product=product[keep],
        source=source[session][keep],
    )


@dataclass(frozen=True)
class _Visits:
    """Who visits (-1: a stranger), the order that the visit ends in (-1: none), and when it ends."""

    person: IntArray
    order: IntArray
    until: IntArray


def _visits(rng: np.random.Generator, people: People, lives: Lives, orders: Orders, day_weight: FloatArray) -> _Visits:
    """List the visits that end in an order, those of customers that don't, and those of strangers."""
    online = np.isin(orders.channel, (CHANNELS.index("web"), CHANNELS.index("app")))
    is_tracked = (orders.person >= 0) & people.is_tracked[np.maximum(orders.person, 0)]
    bought = np.flatnonzero(online & (orders.returned < 0) & is_tracked)
    person, month = np.nonzero(lives.visits)
    count = lives.visits[person, month].astype(np.int64)
    person, month = np.repeat(person, count), np.repeat(month, count)
    earliest = np.maximum(people.joined_at[person], START + FIRST_DAY_OF_MONTH[month] * DAY)
    visit_at = draw_instants(rng, day_weight, earliest, START + FIRST_DAY_OF_MONTH[month + 1] * DAY - 1)
    n_strangers = round(len(person) * _STRANGERS)
    first, last = np.full(n_strangers, START), np.full(n_strangers, START + _STRANGER_DAYS * DAY)
    stranger_at = draw_instants(rng, day_weight, first, last)
    return _Visits(
        np.concatenate([orders.person[bought], person, np.full(n_strangers, -1)]),
        np.concatenate([bought, np.full(len(person) + n_strangers, -1)]),
        np.concatenate([orders.at[bought], visit_at, stranger_at]),
    )


def _steps(rng: np.random.Generator, order: IntArray) -> tuple[IntArray, IntArray]:
    """Draw the events of each visit, as session and kind.

    Each visit is a front page, perhaps a search, products, and as much of the way to the till as was gone.
    """
    n = len(order)
    views = 1 + rng.poisson(_VIEWS, n)
    cart = np.where(order >= 0, 1, rng.random(n) < _CART)
    checkout = np.where(order >= 0, 1, (cart > 0) & (rng.random(n) < _CHECKOUT))
    searches = rng.random(n) < _SEARCH
    kinds = [
        (PAGE_VIEW, np.ones(n, dtype=np.int64)), (SEARCH, searches), (PRODUCT_VIEW, views), (ADD_TO_CART, cart),
        (CHECKOUT, checkout), (PURCHASE, order >= 0),
    ]  # fmt: skip
    session = np.concatenate([np.repeat(np.arange(n), times.astype(np.int64)) for _, times in kinds])
    event = np.concatenate([np.full(int(times.sum()), kind) for kind, times in kinds])
    by_session = np.lexsort((event, session))
    return session[by_session], event[by_session]


def _products(
    rng: np.random.Generator,
    session: IntArray,
    event: IntArray,
    visits: _Visits,
    needs: IntArray,
    orders: Orders,
    goods: Catalog,
) -> IntArray:
    """Draw the product of each event, -1 where none is shown.

    The last product looked at is the one put into the cart, and where something is bought, the one bought.
    """
    looked_at = draw_by_row(rng, goods.choice, needs[session] * N_MONTHS + month_of(visits.until)[session])
    bought = visits.order
    if len(orders.line_product):
        first_line = np.searchsorted(orders.line_order, np.maximum(visits.order, 0))
        bought = orders.line_product[np.minimum(first_line, len(orders.line_product) - 1)]
    is_last_view = np.append(event[1:] != PRODUCT_VIEW, True) & (event == PRODUCT_VIEW)
    chosen = np.where(visits.order >= 0, bought, looked_at[np.flatnonzero(is_last_view)])
    product = np.where(event == PRODUCT_VIEW, looked_at, -1)
    return np.where(is_last_view | (event == ADD_TO_CART), chosen[session], product)


def _instants(rng: np.random.Generator, session: IntArray, until: IntArray) -> tuple[IntArray, IntArray]:
    """Count back from the end of each visit, since the purchase event carries the instant of the order.

    Returns
    -------
    at, started : tuple of arrays
        Instant of each event, and that at which each visit began.
    """
    pause = rng.exponential(_PAUSE, len(session)).astype(np.int64) + _LEAST_PAUSE
    after = np.where(rank_within(session) > 0, pause, 0).cumsum()
    length = np.bincount(session, minlength=len(until))
    last = np.cumsum(length) - 1
    at = until[session] - (after[last][session] - after)
    return at, at[last + 1 - length]
