"""The life of a customer as a hidden Markov chain over months, and how much is bought in each state.

Buy-till-you-die (Schmittlein, Morrison and Colombo 1987; Fader, Hardie and Lee 2005) with more than two states: a
customer's own
Gamma-distributed rate is multiplied by the rate of the month's state, and `lost` is final. Tickets, above all bad
ones, raise the
chance to be lost in the next month; the average over customers keeps to the planted matrix.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from crm_mining.common.arrays import BoolArray, FloatArray, Int8Array, Int16Array, IntArray
from crm_mining.synth.calendar import N_MONTHS

STATES = ("new", "active", "lapsing", "dormant", "lost")
NEW, ACTIVE, LAPSING, DORMANT, LOST = range(5)
# `new` is the month of joining. The states buy at rates far enough apart, and customers of one state are enough alike,
# for the matrix to be found again from some thousand customers. That is a close thing: the orders of 4,000 customers,
# drawn from the very model that is fitted, tell it to 0.04 on average (`benchmarks/lifecycle.py --draws 20`).
TRANSITIONS: FloatArray = np.array([
    [0.00, 0.13, 0.40, 0.25, 0.22],
    [0.00, 0.77, 0.17, 0.02, 0.04],
    [0.00, 0.06, 0.68, 0.14, 0.12],
    [0.00, 0.03, 0.04, 0.85, 0.08],
    [0.00, 0.00, 0.00, 0.00, 1.00],
])  # fmt: skip
# Orders a month in each state at activity 1, before season and the customer's own factor.
ORDER_RATES: FloatArray = np.array([0.25, 1.80, 0.32, 0.008, 0.0])
# Visits a month without a purchase in each state, for those whose visits are recorded.
BROWSE_RATES: FloatArray = np.array([1.5, 1.0, 0.45, 0.06, 0.0])
_RATE_SHAPE = 30.0  # of the Gamma distribution of customers' own factors, whose mean is 1
_FIRST_ORDER = 0.88  # share of accounts opened in order to buy at once
_TICKET_PER_ORDER = 0.11
_TICKET_WITHOUT_ORDER = np.array([0.010, 0.006, 0.006, 0.002, 0.0])
_BAD_TICKET = 0.30
_LOSS_BY_TICKET, _LOSS_BY_BAD_TICKET = 1.4, 4.0  # factors of the chance to be lost, before they are averaged out


@dataclass(frozen=True)
class Lives:
    """What happened to each of n persons in each month; the matrices have shape (n, N_MONTHS)."""

    state: Int8Array  # -1 before the account was opened, and for persons without one
    orders: Int16Array
    order_tickets: Int8Array  # of these, how many orders led to a ticket
    bad_tickets: Int8Array  # of these, how many left the customer angry
    other_tickets: Int8Array
    visits: Int16Array  # without a purchase
    first_order: BoolArray  # whether the account was opened with a purchase


def live(
    rng: np.random.Generator,
    joined_month: IntArray,
    has_account: BoolArray,
    is_tracked: BoolArray,
    season: FloatArray,
    activity: float,
) -> Lives:
    """Run the chain month by month for all persons at once.

    Parameters
    ----------
    rng
        Source of randomness.
    joined_month
        Month in which each person opened the account, shape (n,).
    has_account
        Whether the person ever does, shape (n,).
    is_tracked
        Whether the person's visits to the web shop are recorded, shape (n,).
    season
        Mean demand of each month, shape (N_MONTHS,), 1 on average.
    activity
        Factor of all order rates.
    """
    n = len(joined_month)
    lives = Lives(
        state=np.full((n, N_MONTHS), -1, dtype=np.int8),
        orders=np.zeros((n, N_MONTHS), dtype=np.int16),
        order_tickets=np.zeros((n, N_MONTHS), dtype=np.int8),
        bad_tickets=np.zeros((n, N_MONTHS), dtype=np.int8),
        other_tickets=np.zeros((n, N_MONTHS), dtype=np.int8),
        visits=np.zeros((n, N_MONTHS), dtype=np.int16),
        first_order=has_account & (rng.random(n) < _FIRST_ORDER),
    )
    own_rate = rng.gamma(_RATE_SHAPE, 1 / _RATE_SHAPE, n) * activity
    state = np.full(n, -1, dtype=np.int8)
    loss_factor = np.ones(n)
    cumulative = np.cumsum(TRANSITIONS, axis=1)
    for month in range(N_MONTHS):
        # The last state is `lost`: scaling its probability squeezes the others, and one uniform number decides.
        lost = np.minimum(TRANSITIONS[state, LOST] * loss_factor, 1.0)
        others = np.maximum(1 - TRANSITIONS[state, LOST], 1e-12)
        chance = rng.random(n)
        stays = chance < 1 - lost
        scaled = chance / np.maximum(1 - lost, 1e-12) * others
        moved = (scaled[:, None] >= cumulative[state, :LOST]).sum(axis=1)
        state = np.where(state < 0, state, np.where(stays & (state != LOST), np.minimum(moved, DORMANT), LOST)).astype(
            np.int8
        )
        joins = has_account & (joined_month == month)
        state[joins] = NEW
        lives.state[:, month] = state

        alive = (state >= 0) & (state != LOST)
        rate = np.where(alive, own_rate * ORDER_RATES[state] * season[month], 0.0)
        orders = rng.poisson(rate) + (joins & lives.first_order)
        tickets = rng.binomial(orders, _TICKET_PER_ORDER)
        other = (rng.random(n) < np.where(alive, _TICKET_WITHOUT_ORDER[state], 0.0)).astype(np.int8)
        bad = rng.binomial(tickets + other, _BAD_TICKET)
        anger = np.where(bad > 0, _LOSS_BY_BAD_TICKET, np.where(tickets + other > 0, _LOSS_BY_TICKET, 1.0))
        # Divided by its mean in each state, so that the chain as a whole keeps the planted matrix.
        of_state = np.bincount(state + 1, weights=anger, minlength=len(STATES) + 1)
        n_of_state = np.maximum(np.bincount(state + 1, minlength=len(STATES) + 1), 1)
        loss_factor = anger / np.maximum(of_state / n_of_state, 1.0)[state + 1]
        lives.orders[:, month], lives.order_tickets[:, month] = orders, tickets
        lives.bad_tickets[:, month], lives.other_tickets[:, month] = bad, other
        lives.visits[:, month] = rng.poisson(np.where(alive & is_tracked, BROWSE_RATES[state], 0.0))
    return lives
