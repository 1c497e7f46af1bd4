"""Orders, their lines, and returns: what each life brings to the shop.

Orders are first placed in time (lives, campaigns, planted sequences, guests), then filled with products, then
priced. Within a
chunk an order is a position; keys are written last.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from crm_mining.common.arrays import BoolArray, FloatArray, IntArray
from crm_mining.synth.arrays import draw, draw_by_row, rank_within
from crm_mining.synth.calendar import (
    DAY,
    END,
    FIRST_DAY_OF_MONTH,
    N_DAYS,
    N_MONTHS,
    START,
    draw_instants,
    month_of,
    year_of,
)
from crm_mining.synth.catalog import NEED_GROUP_SHARES, Catalog
from crm_mining.synth.geography import COUNTRIES
from crm_mining.synth.lifecycle import LOST, Lives
from crm_mining.synth.people import NEVER, People, currency_of

CHANNELS = ("web", "app", "store", "phone")
STATUSES = ("placed", "shipped", "delivered", "cancelled")
GUEST_SHARE = 0.03  # of all orders
_CANCELLED = 0.02
#: Who opens an account to buy does so within this many seconds.
_FIRST_PURCHASE = (60, 1800)
#: Orders by the customer's favourite channel; the channels of the others (web, app, store, phone).
_BY_FAVOURITE, _OTHER_CHANNELS = 0.78, (0.6, 0.2, 0.12, 0.08)
_GUEST_USES_PROMOTION = 0.25
#: Pieces of a line beside the first: mean of a Poisson number for consumables, and how often one more of anything.
_MORE_PIECES, _ONE_MORE = 0.55, 0.05
#: Days before the end in which orders are still on their way, and still open.
_SHIPPED_DAYS, _PLACED_DAYS = 6, 2
#: The later order of a sequence: Beta distribution of its place between the first day and the last.
_FOLLOW_UP = (1.6, 2.6)
#: Returns come after four days and a Gamma-distributed delay: shape, and scale in days; the most pieces.
_RETURN_AFTER, _RETURN_SHAPE, _RETURN_DAYS, _MOST_RETURNED = 4, 2.0, 4, 3
_MORE_PRODUCTS = 1.30  # mean of the Poisson number of products beside the first
_BUNDLE_START = 0.045  # share of orders that begin with all left sides of one bundle
_RETURN_BY_CATEGORY = (0.03, 0.03, 0.02, 0.04, 0.02, 0.06, 0.05, 0.10)
NO_PROMOTION = -1


@dataclass(frozen=True)
class Promotion:
    """A code that takes a share off every line of an order while it is on."""

    code: str
    starts_at: int
    ends_at: int
    discount: float
    demand: float  # factor of demand on its days


@dataclass(frozen=True)
class Placements:
    """Orders placed, before they hold products; parallel arrays, sorted by nothing yet."""

    person: IntArray  # -1 for a guest
    at: IntArray
    first_product: IntArray  # product the order is made for, -1 where it is free
    order_tickets: BoolArray  # whether it leads to a ticket
    promotion: IntArray  # promotion that brought it about, or NO_PROMOTION


@dataclass(frozen=True)
class Orders:
    """Sales and returns sorted by time, and their lines sorted by order; money in cents of the order's currency."""

    person: IntArray
    at: IntArray
    returned: IntArray  # order that a return gives back, -1 for a sale
    currency: IntArray
    channel: IntArray
    status: IntArray
    promotion: IntArray
    has_ticket: BoolArray
    amount: IntArray
    line_order: IntArray
    line_number: IntArray
    line_product: IntArray
    line_quantity: IntArray
    line_unit: IntArray
    line_discount: IntArray

    @property
    def n(self) -> int:
        """Count the orders."""
        return len(self.person)


def drop_out_instants(lives: Lives) -> IntArray:
    """Give the first instant of the month in which each person was lost, `NEVER` for the others, shape (n,)."""
    lost = lives.state == LOST
    month = np.where(lost.any(axis=1), lost.argmax(axis=1), 0)
    return np.where(lost.any(axis=1), START + FIRST_DAY_OF_MONTH[month] * DAY, NEVER)


def place_orders(rng: np.random.Generator, people: People, lives: Lives, day_weight: FloatArray) -> Placements:
    """Spread each month's orders over its days; an account opened for a purchase begins with that purchase."""
    person, month = np.nonzero(lives.orders)
    count = lives.orders[person, month].astype(np.int64)
    person, month = np.repeat(person, count), np.repeat(month, count)
    tickets = lives.order_tickets[person, month]
    joined_month = month_of(people.joined_at)
    rank = rank_within(person * N_MONTHS + month)
    earliest = np.where(
        month == joined_month[person], people.joined_at[person], START + FIRST_DAY_OF_MONTH[month] * DAY
    )
    latest = START + FIRST_DAY_OF_MONTH[month + 1] * DAY - 1
    at = draw_instants(rng, day_weight, earliest, latest)
    opens = (month == joined_month[person]) & lives.first_order[person] & (rank == 0)
    at = np.where(opens, np.minimum(earliest + rng.integers(*_FIRST_PURCHASE, len(at)), latest), at)
    n = len(person)
    return Placements(person.astype(np.int64), at, np.full(n, -1), rank < tickets, np.full(n, NO_PROMOTION))


def join_placements(parts: list[Placements]) -> Placements:
    """Lay several sets of placements end to end."""
    return Placements(
        *(np.concatenate([getattr(part, name) for part in parts]) for name in Placements.__dataclass_fields__)
    )


def keep_placements(placed: Placements, keep: BoolArray | IntArray) -> Placements:
    """Keep some placements, by mask or in the order of positions."""
    return Placements(*(getattr(placed, name)[keep] for name in Placements.__dataclass_fields__))


def guest_orders(rng: np.random.Generator, n_orders: int, day_weight: FloatArray) -> Placements:
    """Place the orders of strangers without an account, a fixed share of all."""
    n = round(n_orders * GUEST_SHARE / (1 - GUEST_SHARE))
    at = draw_instants(rng, day_weight, np.full(n, START), np.full(n, END))
    return Placements(np.full(n, -1), at, np.full(n, -1), np.zeros(n, dtype=bool), np.full(n, NO_PROMOTION))


def _fill(
    rng: np.random.Generator, placed: Placements, need_group: IntArray, goods: Catalog
) -> tuple[IntArray, IntArray]:
    """Draw the products of each order by need and season, then complete planted bundles.

    Returns
    -------
    order, product
        One pair for each line, sorted and without repetition.
    """
    n = len(placed.at)
    month = month_of(placed.at)
    more = rng.poisson(np.where(placed.first_product >= 0, 0.5 * _MORE_PRODUCTS, _MORE_PRODUCTS))
    made_for = np.flatnonzero(placed.first_product >= 0)
    free = np.repeat(np.arange(n), more + (placed.first_product < 0))
    free_product = draw_by_row(rng, goods.choice, need_group[free] * N_MONTHS + month[free])
    orders, products = [made_for, free], [placed.first_product[made_for], free_product]
    starts = np.flatnonzero(rng.random(n) < _BUNDLE_START)
    started = draw(rng, np.ones(len(goods.bundles)), len(starts))
    for position, rule in enumerate(goods.bundles):
        at = starts[started == position]
        orders += [at] * len(rule.antecedent)
        products += [np.full(len(at), product) for product in rule.antecedent]
    key = np.unique(np.concatenate(orders) * goods.n + np.concatenate(products))
    order, product = key // goods.n, key % goods.n
    added = []
    for rule in goods.bundles:
        held = np.bincount(order[np.isin(product, rule.antecedent)], minlength=n) == len(rule.antecedent)
        at = np.flatnonzero(held)
        at = at[rng.random(len(at)) < rule.probability]
        added.append(at * goods.n + rule.consequent)
    key = np.unique(np.concatenate([key, *added]))
    return key // goods.n, key % goods.n


def _follow_ups(
    rng: np.random.Generator, placed: Placements, lines: tuple[IntArray, IntArray], ends_at: IntArray, goods: Catalog
) -> Placements:
    """Place the later orders of planted sequences, as long as the customer is not lost and the world has not ended."""
    parts = []
    for rule in goods.sequences:
        origin = lines[0][lines[1] == rule.antecedent[0]]
        origin = origin[placed.person[origin] >= 0]
        origin = origin[rng.random(len(origin)) < rule.probability]
        delay = DAY + (rng.beta(*_FOLLOW_UP, len(origin)) * (rule.within_days - 1.5) * DAY).astype(np.int64)
        at = placed.at[origin] + delay
        fits = (at < ends_at[placed.person[origin]]) & (at <= END)
        n = int(fits.sum())
        parts.append(
            Placements(
                placed.person[origin[fits]],
                at[fits],
                np.full(n, rule.consequent),
                np.zeros(n, dtype=bool),
                np.full(n, NO_PROMOTION),
            )
        )
    return join_placements(parts)


def _promotions_used(
    rng: np.random.Generator, placed: Placements, deal_prone: FloatArray, promotions: list[Promotion]
) -> IntArray:
    """Decide which promotion each order uses: the one that brought it, or by chance one that is on."""
    used = placed.promotion.copy()
    for position, promotion in enumerate(promotions):
        on = (placed.at >= promotion.starts_at) & (placed.at <= promotion.ends_at) & (used == NO_PROMOTION)
        at = np.flatnonzero(on)
        used[at[rng.random(len(at)) < deal_prone[at]]] = position
    return used


def make_orders(
    rng: np.random.Generator,
    people: People,
    placed: Placements,
    ends_at: IntArray,
    promotions: list[Promotion],
    goods: Catalog,
    day_weight: FloatArray,
) -> Orders:
    """Fill, price and complete the placed orders, and add guests, follow-ups and returns.

    Parameters
    ----------
    rng
        Source of randomness.
    people
        The persons of the chunk.
    placed
        Orders placed by lives and campaigns.
    ends_at
        Instant at which each person is lost.
    promotions
        All promotions of the world.
    goods
        The assortment.
    day_weight
        Demand by day, for the guests.
    """
    placed = join_placements([placed, guest_orders(rng, len(placed.at), day_weight)])
    needs = _needs(rng, placed, people)
    lines = _fill(rng, placed, needs, goods)
    later = _follow_ups(rng, placed, lines, ends_at, goods)
    later_lines = _fill(rng, later, people.need_group[later.person], goods)
    order = np.concatenate([lines[0], later_lines[0] + len(placed.at)])
    product = np.concatenate([lines[1], later_lines[1]])
    placed = join_placements([placed, later])

    n = len(placed.at)
    known = placed.person >= 0
    who = np.maximum(placed.person, 0)
    country = np.where(known, people.country[who], draw(rng, [spec.share for spec in COUNTRIES], n))
    currency = currency_of(country)
    favourite = np.where(known, people.channel[who], 0)
    channel = np.where(rng.random(n) < _BY_FAVOURITE, favourite, draw(rng, _OTHER_CHANNELS, n))
    promotion = _promotions_used(
        rng, placed, np.where(known, people.deal_prone[who], _GUEST_USES_PROMOTION), promotions
    )
    discount = np.array([*(item.discount for item in promotions), 0.0])[promotion]

    usual = 1 + rng.poisson(_MORE_PIECES * goods.consumable[product]) + (rng.random(len(product)) < _ONE_MORE)
    unit = goods.unit_cents[product, year_of(placed.at)[order], currency[order]]
    line_discount = np.rint(usual * unit * discount[order]).astype(np.int64)
    status = np.full(n, STATUSES.index("delivered"))
    status[rng.random(n) < _CANCELLED] = STATUSES.index("cancelled")
    recent = (status == 2) & (placed.at > END - _SHIPPED_DAYS * DAY)
    status[recent] = 1
    status[(status == 1) & (placed.at > END - _PLACED_DAYS * DAY)] = 0

    sale = {
        "person": placed.person, "at": placed.at, "currency": currency, "channel": channel, "status": status,
        "promotion": promotion, "has_ticket": placed.order_tickets & (status != 3),
    }  # fmt: skip
    sold = {"order": order, "product": product, "quantity": usual, "unit": unit, "discount": line_discount}
    return _with_returns(rng, sale, sold, ends_at, goods)


def _needs(rng: np.random.Generator, placed: Placements, people: People) -> IntArray:
    """Give the need group of each order's customer; guests have one, too."""
    of_guest = draw(rng, NEED_GROUP_SHARES, len(placed.at))
    return np.where(placed.person >= 0, people.need_group[np.maximum(placed.person, 0)], of_guest)


def _with_returns(
    rng: np.random.Generator,
    sale: dict[str, np.ndarray],
    sold: dict[str, np.ndarray],
    ends_at: IntArray,
    goods: Catalog,
) -> Orders:
    """Add returns as orders of their own, and sort everything by time.

    Only lines without a discount can be given back, since `discount_amount` is never negative.
    """
    n = len(sale["at"])
    origin, product = sold["order"], sold["product"]
    chance = np.array(_RETURN_BY_CATEGORY)[goods.category[product]]
    given_back = (rng.random(len(origin)) < chance) & (sold["discount"] == 0) & (sale["status"][origin] == 2)
    at = (sale["at"] + _RETURN_AFTER * DAY + rng.gamma(_RETURN_SHAPE, _RETURN_DAYS * DAY, n)).astype(np.int64)
    limit = np.where(sale["person"] >= 0, ends_at[np.maximum(sale["person"], 0)], NEVER)
    given_back &= ((at < limit) & (at <= END) & (sale["person"] >= 0))[origin]
    lines = np.flatnonzero(given_back)
    returned = np.unique(origin[lines])
    position = np.searchsorted(returned, origin[lines])
    back = np.minimum(1 + rng.integers(0, _MOST_RETURNED, len(lines)), sold["quantity"][lines])

    joined = {name: np.concatenate([values, values[returned]]) for name, values in sale.items()}
    joined["at"][n:] = at[returned]
    joined["promotion"][n:] = NO_PROMOTION
    joined["has_ticket"][n:] = False
    joined["status"][n:] = STATUSES.index("delivered")
    gives_back = np.concatenate([np.full(n, -1), returned])

    by_time = np.lexsort((joined["person"], joined["at"]))
    place = np.empty(len(by_time), dtype=np.int64)
    place[by_time] = np.arange(len(by_time))
    line = {
        "order": place[np.concatenate([origin, n + position])],
        "product": np.concatenate([product, product[lines]]),
        "quantity": np.concatenate([sold["quantity"], -back]),
        "unit": np.concatenate([sold["unit"], sold["unit"][lines]]),
        "discount": np.concatenate([sold["discount"], np.zeros(len(lines), dtype=np.int64)]),
    }
    # Within an order lines stand in the order in which they were put into the basket, which says nothing.
    by_order = np.lexsort((rng.random(len(line["order"])), line["order"]))
    line = {name: values[by_order] for name, values in line.items()}
    total = line["quantity"] * line["unit"] - line["discount"]
    amount = np.bincount(line["order"], weights=total, minlength=len(by_time))
    return Orders(
        person=joined["person"][by_time],
        at=joined["at"][by_time],
        returned=np.where(gives_back >= 0, place[np.maximum(gives_back, 0)], -1)[by_time],
        currency=joined["currency"][by_time],
        channel=joined["channel"][by_time],
        status=joined["status"][by_time],
        promotion=joined["promotion"][by_time],
        has_ticket=joined["has_ticket"][by_time],
        amount=np.rint(amount).astype(np.int64),
        line_order=line["order"],
        line_number=rank_within(line["order"]) + 1,
        line_product=line["product"],
        line_quantity=line["quantity"],
        line_unit=line["unit"],
        line_discount=line["discount"],
    )


def sale_days(promotions: list[Promotion]) -> FloatArray:
    """Give the factor of demand of each simulated day, shape (N_DAYS,)."""
    factor = np.ones(N_DAYS)
    for promotion in promotions:
        first, last = (promotion.starts_at - START) // DAY, (promotion.ends_at - START) // DAY
        factor[first : last + 1] *= promotion.demand
    return factor
