"""Campaigns with random control groups, and the true effect of a message on each kind of customer.

The effect is planted as a difference in the probability to buy within 14 days: a message makes some buy who would not
have, or keeps some from buying who would have (the potential-outcomes view of uplift; Radcliffe and Surry 2011 for the
four kinds).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from crm_mining.common.arrays import BoolArray, FloatArray, IntArray
from crm_mining.synth.arrays import money_column, string_table, texts
from crm_mining.synth.calendar import DAY, END, START, draw_instants
from crm_mining.synth.lookup import rows
from crm_mining.synth.people import EFFECT_GROUPS, People
from crm_mining.synth.purchases import NO_PROMOTION, Placements, Promotion, join_placements, keep_placements

#: For how long a message has its effect, and a campaign's code is valid.
EFFECT_DAYS = 14
_REACH = 0.70  # share of those who may be written to that a campaign writes to
_AGAINST_CONSENT = 0.004  # share of those who may not be written to that it writes to all the same
_BLACK_FRIDAYS = (("BLACK23", "2023-11-23"), ("BLACK24", "2024-11-28"), ("BLACK25", "2025-11-27"))
#: Of a sale in November: days, discount, and factor of demand.
_SALE_DAYS, _SALE_DISCOUNT, _SALE_DEMAND = 5, 0.20, 1.75
#: Cents: what each campaign costs, and each of its messages by channel. About three in ten customers are written to.
_FIXED_COST, _ADDRESSED = 15_000, 0.3
_COST_PER_TOUCH = {"email": 2, "sms": 7, "post": 85, "ads": 30}
_STARTS_AT_HOUR = 8
#: Messages go out on three days, within working hours.
_SENT_ON_DAY, _SENT_WITHIN = (0.5, 0.3, 0.2), 8 * 3600
#: Only these channels tell who opened a message and clicked.
_TRACEABLE = ("email", "sms")
#: Seconds: mean delay of opening after the least one; bounds of the delay of the click.
_MEAN_OPENING, _LEAST_OPENING, _CLICK_DELAY = 9 * 3600, 30, (5, 600)
#: Who opened clicks with a chance that rises with how responsive they are.
_CLICK_BASE, _CLICK_SLOPE = 0.10, 0.45
_LARGEST_CHANCE = 0.9  # that a message changes what someone does, where few are left whom it can change
_FIRST_REACTION = 600  # seconds after the touch
_USES_CODE = 0.6  # share of orders that a message brought


@dataclass(frozen=True)
class Campaign:
    """One campaign; `effects` are the differences in the 14-day purchase probability by effect group."""

    campaign_id: str
    name: str
    starts_at: int
    channel: str
    control_share: float
    promotion: int
    effects: tuple[float, ...]


@dataclass(frozen=True)
class Touches:
    """One row for each campaign and addressee, parallel arrays; instants are 0 where there was none."""

    campaign: IntArray
    person: IntArray
    at: IntArray
    is_control: BoolArray
    opened_at: IntArray
    clicked_at: IntArray


def _instant(date: str, hour: int = 0) -> int:
    """Turn a date into seconds."""
    return int(np.datetime64(date, "s").astype(np.int64)) + hour * 3600


def promotions() -> list[Promotion]:
    """List all promotions: those of campaigns for 14 days and the three sales in November."""
    of_campaigns = [
        Promotion(
            row["code"], _instant(row["first_day"]), _instant(row["first_day"]) + EFFECT_DAYS * DAY - 1,
            float(row["discount"]), 1.0,
        )
        for row in rows("campaigns")
        if row["code"]
    ]  # fmt: skip
    sales = [
        Promotion(code, _instant(day), _instant(day) + _SALE_DAYS * DAY - 1, _SALE_DISCOUNT, _SALE_DEMAND)
        for code, day in _BLACK_FRIDAYS
    ]
    return of_campaigns + sales


def campaigns() -> list[Campaign]:
    """List all campaigns."""
    codes = [promotion.code for promotion in promotions()]
    return [
        Campaign(
            f"CA{number:02d}",
            row["campaign"],
            _instant(row["first_day"], _STARTS_AT_HOUR),
            row["channel"],
            float(row["control_share"]),
            codes.index(row["code"]) if row["code"] else NO_PROMOTION,
            tuple(float(row[group]) for group in EFFECT_GROUPS),
        )
        for number, row in enumerate(rows("campaigns"), 1)
    ]


def campaign_table(n_customers: int) -> pa.Table:
    """Write marketing.campaigns; the cost grows with the number of customers."""
    listed = campaigns()
    codes = [promotion.code for promotion in promotions()]
    starts = np.array([item.starts_at for item in listed])
    as_text = np.char.replace(starts.astype("datetime64[s]").astype(str), "T", " ").astype(object)
    ends = np.char.replace((starts + EFFECT_DAYS * DAY).astype("datetime64[s]").astype(str), "T", " ").astype(object)
    cost = np.array([_FIXED_COST + round(_ADDRESSED * n_customers * _COST_PER_TOUCH[item.channel]) for item in listed])
    return string_table(
        {
            "campaign_id": texts([item.campaign_id for item in listed]),
            "campaign_name": texts([item.name for item in listed]),
            "started_at": as_text,
            "ended_at": ends,
            "channel": texts([item.channel for item in listed]),
            "cost": money_column(cost),
            "currency": texts(["EUR"] * len(listed)),
            "promotion_code": texts([codes[item.promotion] if item.promotion >= 0 else None for item in listed]),
        }
    )


def effect_table() -> pa.Table:
    """Write the planted effects of the truth."""
    planted = [
        (item.campaign_id, group, f"{uplift:.3f}")
        for item in campaigns()
        for group, uplift in zip(EFFECT_GROUPS, item.effects, strict=True)
    ]
    columns = [texts(column) for column in zip(*planted, strict=True)]
    return string_table(dict(zip(("campaign_id", "effect_group", "uplift"), columns, strict=True)))


def touch(
    rng: np.random.Generator,
    people: People,
    subscribed_at: IntArray,
    has_consent: BoolArray,
    unsubscribed_at: IntArray,
    responsive: FloatArray,
) -> Touches:
    """Draw each campaign's addressees and control group among the subscribers of that day.

    Parameters
    ----------
    rng
        Source of randomness.
    people
        The persons of the chunk.
    subscribed_at, unsubscribed_at
        Instants by person, `NEVER` where it did not happen, shape (n,).
    has_consent
        Whether the person agreed when subscribing, shape (n,).
    responsive
        Chance of each person to open a message, shape (n,).
    """
    parts = []
    for position, campaign in enumerate(campaigns()):
        here = subscribed_at < campaign.starts_at
        may = here & has_consent & (unsubscribed_at > campaign.starts_at)
        chosen = rng.random(people.n) < np.where(may, _REACH, np.where(here, _AGAINST_CONSENT, 0.0))
        person = np.flatnonzero(chosen)
        n = len(person)
        at = campaign.starts_at + rng.choice(3, n, p=_SENT_ON_DAY) * DAY + rng.integers(0, _SENT_WITHIN, n)
        is_control = rng.random(n) < campaign.control_share
        traceable = campaign.channel in _TRACEABLE
        opened = ~is_control & traceable & (rng.random(n) < responsive[person])
        opened_at = np.where(opened, at + rng.exponential(_MEAN_OPENING, n).astype(np.int64) + _LEAST_OPENING, 0)
        clicked = opened & (rng.random(n) < _CLICK_BASE + _CLICK_SLOPE * responsive[person])
        clicked_at = np.where(clicked, opened_at + rng.integers(*_CLICK_DELAY, n), 0)
        parts.append((np.full(n, position), person, at, is_control, opened_at, clicked_at))
    campaign_, person, at, is_control, opened_at, clicked_at = (
        np.concatenate(column) for column in zip(*parts, strict=True)
    )
    return Touches(campaign_, person, at, is_control, opened_at, clicked_at)


def apply_effects(
    rng: np.random.Generator,
    people: People,
    touches: Touches,
    placed: Placements,
    has_account: BoolArray,
    ends_at: IntArray,
    day_weight: FloatArray,
) -> Placements:
    """Add or take away orders so that messages have their planted effects.

    Among the addressees of one effect group who have an account, the chance to buy within 14 days of the touch rises
    (or falls) by the planted difference against what it would have been. Customers who are lost can't be won back; the
    others carry their share.

    Parameters
    ----------
    rng
        Source of randomness.
    people
        The persons of the chunk.
    touches
        Who was addressed when, and who belongs to the control group.
    placed
        The orders that would have been placed without any message.
    has_account
        Whether each person has an account when the campaign runs, by touch, shape (number of touches,).
    ends_at
        Instant at which each person is lost.
    day_weight
        Demand by day.
    """
    span = END - START + 1
    key = placed.person * span + (placed.at - START)
    order = np.argsort(key, kind="stable")
    key = key[order]
    window_end = np.minimum(touches.at + EFFECT_DAYS * DAY, END)
    low = np.searchsorted(key, touches.person * span + touches.at - START, side="left")
    high = np.searchsorted(key, touches.person * span + window_end - START, side="right")
    would_buy = high > low
    group = people.effect_group[touches.person]
    alive = has_account & (ends_at[touches.person] > touches.at)
    removed = np.zeros(len(placed.at), dtype=bool)
    added = []
    for position, campaign in enumerate(campaigns()):
        for effect_group, effect in enumerate(campaign.effects):
            mine = (touches.campaign == position) & (group == effect_group) & ~touches.is_control & has_account
            concerned = np.flatnonzero(mine & alive & (would_buy if effect < 0 else ~would_buy))
            if effect == 0 or not len(concerned):
                continue
            chance = min(abs(effect) * int(mine.sum()) / len(concerned), _LARGEST_CHANCE)
            struck = concerned[rng.random(len(concerned)) < chance]
            if effect < 0:
                # Mark the runs low:high of sorted orders: +1 where one begins, -1 after its end, then sum up.
                edge = np.zeros(len(key) + 1, dtype=np.int64)
                np.add.at(edge, low[struck], 1)
                np.add.at(edge, high[struck], -1)
                removed[order[np.cumsum(edge)[:-1] > 0]] = True
                continue
            earliest = touches.at[struck] + _FIRST_REACTION
            latest = np.minimum(np.minimum(window_end[struck], ends_at[touches.person[struck]] - 1), END)
            latest = np.maximum(earliest, latest)
            n = len(struck)
            code = np.where(rng.random(n) < _USES_CODE, campaign.promotion, NO_PROMOTION)
            # Those who respond do so soon: the earlier of two draws.
            at = np.minimum(
                draw_instants(rng, day_weight, earliest, latest), draw_instants(rng, day_weight, earliest, latest)
            )
            added.append(Placements(touches.person[struck], at, np.full(n, -1), np.zeros(n, dtype=bool), code))
    # An order that opened a ticket or the account stays, so that tickets and accounts keep their cause.
    removed &= ~placed.order_tickets & (placed.at > people.joined_at[placed.person] + DAY)
    return join_placements([keep_placements(placed, ~removed), *added])
