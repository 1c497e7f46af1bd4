"""The sales pipeline: opportunities that pass from stage to stage until they are won or lost."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from crm_mining.common.arrays import FloatArray, IntArray
from crm_mining.synth.arrays import draw, rank_within
from crm_mining.synth.calendar import DAY, END
from crm_mining.synth.catalog import CATEGORIES, Catalog
from crm_mining.synth.geography import CURRENCIES, RATES_TO_EUR
from crm_mining.synth.people import People, currency_of

STAGES = ("prospecting", "qualified", "proposal", "negotiation", "won", "lost")
WON, LOST_STAGE = 4, 5
OWNERS = ("Anke Vogt", "Ben Harper", "Carla Núñez", "Didier Roux", "Ewa Lis", "Frida Holm", "Greta Simon", "Hal Brooks")
LEAD_SOURCES = ("referral", "web form", "trade fair", "cold call", "campaign")
_OWNER_SHARES = (0.16, 0.15, 0.14, 0.13, 0.12, 0.11, 0.10, 0.09)
_SOURCE_SHARES = (0.16, 0.32, 0.15, 0.22, 0.15)
# Log-odds added to each step of the path.
_OWNER_SKILL = (0.55, 0.35, 0.20, 0.05, -0.05, -0.20, -0.40, -0.60)
_SOURCE_QUALITY = (0.90, 0.15, 0.10, -0.70, -0.10)
_STEP = (0.62, 0.70, 0.74, 0.66)  # chance to leave each open stage forwards, for the average opportunity
#: Days in each open stage: mean, standard deviation of the logarithm, and factor for those that will be lost.
_MEAN_DAYS, _DAYS_DEVIATION, _LOST_TAKES_LONGER = (11.0, 16.0, 19.0, 13.0), 0.6, 1.35
#: Opportunities of a contact: with a company, and without.
_PER_CONTACT, _PER_PRIVATE_CONTACT = 0.62, 0.02
#: Opportunities are opened at office hours, more of them soon after the contact became known than evenly (power).
_SOON, _OFFICE_HOURS = 1.4, (7 * 3600, 17 * 3600)
#: Companies buy office goods this many times as often, and pieces by a log-normal number (mean, deviation of the
#: logarithm) of at least 20 EUR each.
_OFFICE_GOODS, _PIECES, _LEAST_EUROS = 6.0, (3.2, 0.8), 20
_EXPECTED_DAYS, _EXPECTED_DEVIATION, _LEAST_EXPECTED = 62, 18, 14  # until the sale is expected


@dataclass(frozen=True)
class Pipeline:
    """Opportunities and the stages that each entered, as parallel arrays sorted by opening and by time."""

    contact: IntArray  # position among the chunk's contact records
    created_at: IntArray
    stage: IntArray
    amount: IntArray  # cents of the currency
    currency: IntArray
    product: IntArray
    expected_close: IntArray
    closed_at: IntArray  # 0 while open
    owner: IntArray
    source: IntArray
    step_opportunity: IntArray
    step_stage: IntArray
    step_at: IntArray


def run_pipeline(
    rng: np.random.Generator, people: People, contact_person: IntArray, contact_created: IntArray, goods: Catalog
) -> Pipeline:
    """Open opportunities with contacts that have a company, and walk them through the stages.

    Parameters
    ----------
    rng
        Source of randomness.
    people
        The persons of the chunk.
    contact_person, contact_created
        Person and creation of each contact record, shape (n_contacts,).
    goods
        The assortment.
    """
    has_company = np.array([name is not None for name in people.company[contact_person]], dtype=bool)
    rate = np.where(has_company, _PER_CONTACT, _PER_PRIVATE_CONTACT)
    contact = np.repeat(np.arange(len(contact_person)), rng.poisson(rate))
    n = len(contact)
    earliest = contact_created[contact]
    created_at = earliest + (rng.random(n) ** _SOON * (END - earliest)).astype(np.int64)
    created_at = created_at // DAY * DAY + rng.integers(*_OFFICE_HOURS, n)
    created_at = np.minimum(np.maximum(created_at, earliest + 60), END)
    by_time = np.argsort(created_at, kind="stable")
    contact, created_at = contact[by_time], created_at[by_time]

    owner = draw(rng, _OWNER_SHARES, n)
    source = draw(rng, _SOURCE_SHARES, n)
    push = np.array(_OWNER_SKILL)[owner] + np.array(_SOURCE_QUALITY)[source]
    steps = _walk(rng, created_at, push)
    stage, at = steps.stage, steps.at

    office = goods.category == CATEGORIES.index("Office")
    product = draw(rng, np.where(office, _OFFICE_GOODS, 1.0), n)
    currency = currency_of(people.country[contact_person[contact]])
    rate_to_eur = np.array([RATES_TO_EUR[name][1] for name in CURRENCIES])[currency]
    euros = np.maximum(goods.list_cents[product] / 100, _LEAST_EUROS) * np.ceil(rng.lognormal(*_PIECES, n))
    amount = np.rint(euros / rate_to_eur / 10).astype(np.int64) * 1000
    closed = (stage == WON) | (stage == LOST_STAGE)
    return Pipeline(
        contact=contact,
        created_at=created_at,
        stage=stage,
        amount=np.maximum(amount, 1000),
        currency=currency,
        product=product,
        expected_close=np.minimum(
            created_at
            + (rng.normal(_EXPECTED_DAYS, _EXPECTED_DEVIATION, n).clip(_LEAST_EXPECTED) * DAY).astype(np.int64),
            END,
        ),
        closed_at=np.where(closed, at, 0),
        owner=owner,
        source=source,
        step_opportunity=steps.opportunity,
        step_stage=steps.entered,
        step_at=steps.entered_at,
    )


@dataclass(frozen=True)
class _Steps:
    """Where each opportunity ended and when, and every stage that one entered, by opportunity and time."""

    stage: IntArray
    at: IntArray
    opportunity: IntArray
    entered: IntArray
    entered_at: IntArray


def _walk(rng: np.random.Generator, created_at: IntArray, push: FloatArray) -> _Steps:
    """Walk the opportunities through the stages, as far as they come by the end; ``push`` is added to the log-odds."""
    n = len(created_at)
    stage = np.zeros(n, dtype=np.int64)
    at = created_at.copy()
    steps = [(np.arange(n), np.zeros(n, dtype=np.int64), created_at)]
    for current, (chance, mean_days) in enumerate(zip(_STEP, _MEAN_DAYS, strict=True)):
        odds = np.log(chance / (1 - chance)) + push
        forward = rng.random(n) < 1 / (1 + np.exp(-odds))
        days = rng.lognormal(np.log(mean_days) - _DAYS_DEVIATION**2 / 2, _DAYS_DEVIATION, n)
        days *= np.where(forward, 1.0, _LOST_TAKES_LONGER)
        then = at + (days * DAY).astype(np.int64)
        moves = (stage == current) & (then <= END)
        target = np.where(forward, current + 1, LOST_STAGE)
        moved = np.flatnonzero(moves)
        stage[moved], at[moved] = target[moved], then[moved]
        steps.append((moved, target[moved], then[moved]))
    opportunity, entered, entered_at = (np.concatenate(column) for column in zip(*steps, strict=True))
    order = np.lexsort((entered_at, opportunity))
    opportunity, entered, entered_at = opportunity[order], entered[order], entered_at[order]
    assert int(rank_within(opportunity).max(initial=0)) <= len(STAGES)
    return _Steps(stage, at, opportunity, entered, entered_at)
