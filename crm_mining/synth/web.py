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
_VIEWS = 0.8  # mean of the Poisson number of products looked at beside the first
_LOGGED_IN = 0.45  # share of visits without a purchase in which the customer is logged in


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
    online = np.isin(orders.channel, (CHANNELS.index("web"), CHANNELS.index("app")))
    bought = np.flatnonzero(
        online & (orders.returned < 0) & (orders.person >= 0) & people.is_tracked[np.maximum(orders.person, 0)]
    )
    person, month = np.nonzero(lives.visits)
    count = lives.visits[person, month].astype(np.int64)
    person, month = np.repeat(person, count), np.repeat(month, count)
    earliest = np.maximum(people.joined_at[person], START + FIRST_DAY_OF_MONTH[month] * DAY)
    visit_at = draw_instants(rng, day_weight, earliest, START + FIRST_DAY_OF_MONTH[month + 1] * DAY - 1)
    strangers = round(len(person) * _STRANGERS)
    stranger_at = draw_instants(rng, day_weight, np.full(strangers, START), np.full(strangers, START + 1090 * DAY))

    who = np.concatenate([orders.person[bought], person, np.full(strangers, -1)])
    order = np.concatenate([bought, np.full(len(person) + strangers, -1)])
    until = np.concatenate([orders.at[bought], visit_at, stranger_at])
    n = len(who)
    is_known = who >= 0
    device = np.where(rng.random(n) < 0.75, 0, 1)
    visitor = np.where(is_known, who * 2 + device, 2 * people.n + np.arange(n))
    logged_in = is_known & ((order >= 0) & (rng.random(n) < 0.85) | (rng.random(n) < _LOGGED_IN))
    source = draw(rng, (0.34, 0.33, 0.15, 0.18), n)

    needs = np.where(is_known, people.need_group[np.maximum(who, 0)], draw(rng, NEED_GROUP_SHARES, n))
    views = 1 + rng.poisson(_VIEWS, n)
    cart = np.where(order >= 0, 1, rng.random(n) < 0.16)
    checkout = np.where(order >= 0, 1, (cart > 0) & (rng.random(n) < 0.35))
    searches = rng.random(n) < 0.25
    # Each visit is a front page, perhaps a search, products, and as much of the way to the till as was gone.
    kinds = [
        (PAGE_VIEW, np.ones(n, dtype=np.int64)), (SEARCH, searches), (PRODUCT_VIEW, views), (ADD_TO_CART, cart),
        (CHECKOUT, checkout), (PURCHASE, order >= 0),
    ]  # fmt: skip
    session = np.concatenate([np.repeat(np.arange(n), times.astype(np.int64)) for _, times in kinds])
    event = np.concatenate([np.full(int(times.sum()), kind) for kind, times in kinds])
    by_session = np.lexsort((event, session))
    session, event = session[by_session], event[by_session]

    looked_at = draw_by_row(rng, goods.choice, needs[session] * N_MONTHS + month_of(until)[session])
    first_line = np.searchsorted(orders.line_order, np.maximum(order, 0))
    bought_product = (
        orders.line_product[np.minimum(first_line, len(orders.line_product) - 1)] if len(orders.line_product) else order
    )
    # The last product looked at is the one put into the cart, and where something is bought, the one bought.
    is_last_view = np.append(event[1:] != PRODUCT_VIEW, True) & (event == PRODUCT_VIEW)
    last_view = looked_at[np.flatnonzero(is_last_view)]
    chosen = np.where(order >= 0, bought_product, last_view)
    product = np.where(event == PRODUCT_VIEW, looked_at, -1)
    product = np.where(is_last_view | (event == ADD_TO_CART), chosen[session], product)

    # Count back from the end of the visit: the purchase event carries the instant of the order.
    length = np.bincount(session, minlength=n)

    pause = np.where(rank_within(session) > 0, rng.exponential(50, len(session)).astype(np.int64) + 3, 0)
    after = pause.cumsum()
    end_of = after[np.cumsum(length) - 1]
    at = until[session] - (end_of[session] - after)
    started = at[np.cumsum(length) - length]
    inside: BoolArray = (started >= START) & np.where(is_known, until < ends_at[np.maximum(who, 0)], True)
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
