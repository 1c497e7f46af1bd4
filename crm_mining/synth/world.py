"""Make the world chunk by chunk, put the faults in, and write raw tables and truth."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from crm_mining.common.arrays import BoolArray, IntArray
from crm_mining.synth.arrays import look_up, number_column, string_table, texts
from crm_mining.synth.calendar import (
    DAY,
    END,
    MONTH_OF_DAY,
    MONTH_TEXT,
    N_MONTHS,
    demand_by_day,
    month_of,
)
from crm_mining.synth.campaigns import Touches, apply_effects, campaign_table, effect_table, promotions, touch
from crm_mining.synth.catalog import NEED_GROUPS, catalog, product_table, rule_table
from crm_mining.synth.faults import FaultMaker, redelivered_days
from crm_mining.synth.lifecycle import STATES, TRANSITIONS, Lives, live
from crm_mining.synth.people import EFFECT_GROUPS, NEVER, People, draw_people
from crm_mining.synth.pipeline import Pipeline, run_pipeline
from crm_mining.synth.purchases import Orders, drop_out_instants, make_orders, place_orders, sale_days
from crm_mining.synth.records import (
    Records,
    contact_table,
    customer_table,
    make_records,
    record_truth,
    requester_table,
    subscriber_table,
)
from crm_mining.synth.service import Tickets, open_tickets
from crm_mining.synth.tables import Keys, event_table, opportunity_tables, order_tables, ticket_table, touch_table
from crm_mining.synth.web import WebEvents, browse
from crm_mining.synth.writer import FORMATS, WorldWriter

CHUNK = 50_000  # persons made at a time; fixed, because the chunks decide the random numbers
# Room for keys in each chunk, so that chunks number their rows without knowing of each other.
_ROOM = {
    "record": 100_000,
    "order": 10_000_000,
    "ticket": 2_000_000,
    "touch": 1_000_000,
    "deal": 100_000,
    "event": 20_000_000,
}
_FAULT_ROOM = 10_000_000
_LARGEST = 20_000_000
#: Share of persons with an account; who subscribes, with an account and without; who is in the CRM, with a company and
#: without.
_HAS_ACCOUNT, _SUBSCRIBES, _IN_CRM = 0.88, (0.60, 0.45), (0.72, 0.40)
#: Subscribers: who subscribes on joining, the mean delay of the others in days, and who consents.
_SUBSCRIBES_AT_ONCE, _SUBSCRIBES_LATER, _CONSENTS = 0.6, 40, 0.90
_WITHDRAWS_AFTER = 2200  # mean days
#: Contacts of the CRM: mean delay in days, and who is entered later than they joined.
_CONTACT_LATER, _CONTACT_IS_LATER = 30, 0.7
#: Chance to open a message by effect group, and how far customers differ.
_OPENS, _OPENS_FACTOR = (0.42, 0.38, 0.16, 0.22), (0.6, 1.3)


@dataclass(frozen=True)
class Parameters:
    """What the world depends on; the same parameters give the same files.

    Parameters
    ----------
    customers
        Number of persons, from 50 to 20,000,000.
    seed
        Any whole number from 0.
    activity
        Factor of all order rates, above 0 and up to 20; 1 gives about nine order lines a person.
    fault_rate
        Share of the person records that get at least one fault, from 0 to 0.5; other tables follow in proportion.
    """

    customers: int = 4000
    seed: int = 7
    activity: float = 1.0
    fault_rate: float = 0.05

    def __post_init__(self) -> None:
        """Refuse what can't be simulated, naming the parameter."""
        if not 50 <= self.customers <= _LARGEST:
            raise ValueError(f"customers must lie between 50 and {_LARGEST:,}, not {self.customers:,}")
        if self.seed < 0:
            raise ValueError(f"seed must be 0 or more, not {self.seed}")
        if not 0 < self.activity <= 20:
            raise ValueError(f"activity must be above 0 and at most 20, not {self.activity}")
        if not 0 <= self.fault_rate <= 0.5:
            raise ValueError(f"fault-rate must lie between 0 and 0.5, not {self.fault_rate}")


def generate(parameters: Parameters, directory: Path, file_format: str = "csv", show_progress: bool = True) -> None:
    """Write a world to `directory`/raw and `directory`/truth.

    Parameters
    ----------
    parameters
        What to simulate.
    directory
        Where to write; created where it is missing.
    file_format
        'csv' or 'parquet'.
    show_progress
        Whether to say on stderr how far it is, once five seconds have passed.
    """
    if file_format not in FORMATS:
        raise ValueError(f"format must be one of {', '.join(FORMATS)}, not {file_format!r}")
    started = time.monotonic()
    with WorldWriter(directory, file_format) as writer:
        for done, tables in pieces(parameters):
            for name, table in tables.items():
                writer.append(name, table)
            if show_progress and (time.monotonic() - started > 5):
                print(f"{done:,} of {parameters.customers:,} customers done", file=sys.stderr, flush=True)


def pieces(parameters: Parameters) -> Iterator[tuple[int, dict[str, pa.Table]]]:
    """Yield the world's tables piece by piece, each time with the number of persons made so far."""
    n_chunks = -(-parameters.customers // CHUNK)
    seeds = np.random.SeedSequence(parameters.seed).spawn(n_chunks + 1)
    yield 0, _common_tables(parameters, np.random.default_rng(seeds[0]), n_chunks)
    for chunk in range(n_chunks):
        first = chunk * CHUNK
        n = min(CHUNK, parameters.customers - first)
        yield first + n, chunk_tables(parameters, np.random.default_rng(seeds[chunk + 1]), chunk, n, n_chunks)


def _common_tables(parameters: Parameters, rng: np.random.Generator, n_chunks: int) -> dict[str, pa.Table]:
    """Make the tables that do not grow with the number of persons."""
    raw = {
        "raw/shop/products": product_table(),
        "raw/marketing/campaigns": campaign_table(parameters.customers),
    }
    maker = FaultMaker(rng, parameters.fault_rate, share_of_world=1.0, first_fault=1)
    raw = maker.spoil(raw)
    pairs = [(a, b, TRANSITIONS[i, j]) for i, a in enumerate(STATES) for j, b in enumerate(STATES)]
    truth = {
        "truth/planted_rules": rule_table(),
        "truth/campaign_effects": effect_table(),
        "truth/state_transitions": string_table(
            {
                "from_state": texts([a for a, _, _ in pairs]),
                "to_state": texts([b for _, b, _ in pairs]),
                "probability": texts([f"{p:.2f}" for _, _, p in pairs]),
            }
        ),
        "truth/faults": maker.log(),
    }
    return raw | truth


def chunk_tables(
    parameters: Parameters, rng: np.random.Generator, chunk: int, n: int, n_chunks: int
) -> dict[str, pa.Table]:
    """Make all tables of one chunk of persons.

    Parameters
    ----------
    parameters
        What to simulate.
    rng
        The chunk's own source of randomness.
    chunk, n_chunks
        Position of the chunk and how many there are.
    n
        Number of persons.
    """
    first_person = 1 + chunk * CHUNK
    people = draw_people(rng, first_person, n, chunk)
    goods, offers = catalog(), promotions()
    day_weight = demand_by_day(sale_days(offers))
    month_days = np.bincount(MONTH_OF_DAY, minlength=N_MONTHS)
    season = np.bincount(MONTH_OF_DAY, weights=day_weight, minlength=N_MONTHS) / month_days
    known = _known_where(rng, people)
    lives = live(rng, month_of(people.joined_at), known.has_account, people.is_tracked, season, parameters.activity)
    ends_at = drop_out_instants(lives)
    consent = _consent(rng, people, known.in_marketing)
    responsive = np.array(_OPENS)[people.effect_group] * rng.uniform(*_OPENS_FACTOR, n)
    touches = touch(rng, people, consent.subscribed_at, consent.given, consent.withdrawn_at, responsive)
    placed = place_orders(rng, people, lives, day_weight)
    can_buy = known.has_account[touches.person] & (people.joined_at[touches.person] <= touches.at)
    placed = apply_effects(rng, people, touches, placed, can_buy, ends_at, day_weight)
    orders = make_orders(rng, people, placed, ends_at, offers, goods, day_weight)
    tickets = open_tickets(rng, people, lives, orders, goods, ends_at)
    systems = _systems(rng, people, known, consent, tickets, 1 + chunk * _ROOM["record"])
    pipeline = run_pipeline(rng, people, systems.contacts.person, systems.contacts.created_at, goods)
    events = browse(rng, people, lives, orders, goods, day_weight, ends_at)

    _check_room(order=orders.n, event=len(events.at), ticket=len(tickets.person))
    happened = _Happened(orders, tickets, touches, pipeline, events)
    raw = _raw_tables(rng, people, systems, happened, consent, chunk)
    maker = FaultMaker(rng, parameters.fault_rate, n / parameters.customers, first_fault=1 + (chunk + 1) * _FAULT_ROOM)
    raw = maker.spoil(raw, redelivered_days(parameters.seed))
    everybody = [systems.contacts, systems.customers, systems.requesters, systems.subscribers]
    truth = {
        "truth/record_persons": record_truth(first_person, everybody),
        "truth/persons": _person_truth(people, ends_at),
        "truth/person_states": _state_truth(first_person, lives),
        "truth/faults": maker.log(),
    }
    return raw | truth


@dataclass(frozen=True)
class _Known:
    """Which system knows each person; the service desk gets to know whoever opens a ticket."""

    has_account: BoolArray
    in_marketing: BoolArray
    in_crm: BoolArray


def _known_where(rng: np.random.Generator, people: People) -> _Known:
    """Draw where each person is known: somewhere at least."""
    has_account = rng.random(people.n) < _HAS_ACCOUNT
    in_marketing = rng.random(people.n) < np.where(has_account, *_SUBSCRIBES)
    has_company = np.array([name is not None for name in people.company], dtype=bool)
    in_crm = rng.random(people.n) < np.where(has_company, *_IN_CRM)
    return _Known(has_account, in_marketing, in_crm | (~has_account & ~in_marketing))


@dataclass(frozen=True)
class _Consent:
    """Who subscribed when, agreed to be written to, and withdrew that, by person; `NEVER` where it did not happen."""

    subscribed_at: IntArray
    given: BoolArray
    withdrawn_at: IntArray


def _consent(rng: np.random.Generator, people: People, in_marketing: BoolArray) -> _Consent:
    n = people.n
    later = np.where(rng.random(n) < _SUBSCRIBES_AT_ONCE, 0, rng.exponential(_SUBSCRIBES_LATER * DAY, n))
    subscribed_at = np.where(in_marketing, people.joined_at + later.astype(np.int64), NEVER)
    return _Consent(subscribed_at, rng.random(n) < _CONSENTS, _withdrawals(rng, subscribed_at))


@dataclass(frozen=True)
class _Systems:
    """The records of persons in each system."""

    customers: Records
    contacts: Records
    subscribers: Records
    requesters: Records


def _systems(
    rng: np.random.Generator, people: People, known: _Known, consent: _Consent, tickets: Tickets, first_key: int
) -> _Systems:
    """Make the records of all systems; a record exists for a day at least."""
    everyone, last = np.arange(people.n), END - DAY
    account, marketing, crm = known.has_account, known.in_marketing, known.in_crm
    customers = make_records(rng, "shop.customers", everyone[account], people.joined_at[account], first_key)
    delay = rng.exponential(_CONTACT_LATER * DAY, people.n).astype(np.int64)
    contact_at = np.minimum(people.joined_at + delay * (rng.random(people.n) < _CONTACT_IS_LATER), last)
    contacts = make_records(rng, "crm.contacts", everyone[crm], contact_at[crm], first_key)
    subscribed_at = np.minimum(consent.subscribed_at, last)
    subscribers = make_records(rng, "marketing.subscribers", everyone[marketing], subscribed_at[marketing], first_key)
    asking, first_ticket = np.unique(tickets.person, return_index=True)
    requesters = make_records(rng, "support.requesters", asking, tickets.opened_at[first_ticket], first_key)
    return _Systems(customers, contacts, subscribers, requesters)


def _check_room(**n_rows: int) -> None:
    """Refuse an activity that would make keys run into those of the next chunk."""
    for name, size in n_rows.items():
        if size > _ROOM[name]:
            raise ValueError(f"activity is too high: {size:,} {name} rows in a chunk, at most {_ROOM[name]:,}")


@dataclass(frozen=True)
class _Happened:
    """What happened to the persons of a chunk."""

    orders: Orders
    tickets: Tickets
    touches: Touches
    pipeline: Pipeline
    events: WebEvents


def _raw_tables(
    rng: np.random.Generator, people: People, systems: _Systems, happened: _Happened, consent: _Consent, chunk: int
) -> dict[str, pa.Table]:
    """Write what happened as the systems deliver it, without faults."""
    orders, tickets, touches, events = happened.orders, happened.tickets, happened.touches, happened.events
    customers, subscribers, requesters = systems.customers, systems.subscribers, systems.requesters
    keys = Keys(
        order=1 + chunk * _ROOM["order"], ticket=1 + chunk * _ROOM["ticket"], touch=1 + chunk * _ROOM["touch"],
        opportunity=1 + chunk * _ROOM["deal"], event=1 + chunk * _ROOM["event"],
        visitor=1 + chunk * 10 * _ROOM["record"],
    )  # fmt: skip
    account = customers.choose(rng, people.n, orders.person, orders.at)
    order_table, line_table = order_tables(orders, account, customers, keys.order)
    requester = requesters.choose(rng, people.n, tickets.person, tickets.opened_at)
    logged_in = customers.choose(rng, people.n, events.person, events.at)
    opportunity_table, stage_table = opportunity_tables(happened.pipeline, systems.contacts, keys.opportunity)
    subscriber = subscribers.record_of(people.n)[touches.person]
    return {
        "raw/crm/contacts": contact_table(rng, people, systems.contacts),
        "raw/crm/opportunities": opportunity_table,
        "raw/crm/opportunity_stages": stage_table,
        "raw/shop/customers": customer_table(rng, people, customers),
        "raw/shop/orders": order_table,
        "raw/shop/order_lines": line_table,
        "raw/shop/web_events": event_table(events, logged_in, customers, keys),
        "raw/support/requesters": requester_table(rng, people, requesters),
        "raw/support/tickets": ticket_table(tickets, requester, requesters, keys),
        "raw/marketing/subscribers": subscriber_table(rng, people, subscribers, consent.given, consent.withdrawn_at),
        "raw/marketing/touches": touch_table(touches, subscriber, subscribers, keys.touch),
    }


def _withdrawals(rng: np.random.Generator, subscribed_at: IntArray) -> IntArray:
    """Draw when each subscriber withdraws the consent, `NEVER` for most."""
    n = len(subscribed_at)
    at = subscribed_at + (rng.exponential(_WITHDRAWS_AFTER, n) * DAY).astype(np.int64) + DAY
    return np.where((subscribed_at < NEVER) & (at <= END), at, NEVER)


def _person_truth(people: People, ends_at: IntArray) -> pa.Table:
    """Write the truth about each person: first and last name as at the beginning."""
    gone = ends_at < NEVER
    first_days = [f"{month}-01" for month in MONTH_TEXT]
    return string_table(
        {
            "person_id": number_column(people.person_id),
            "household_id": number_column(people.household_id),
            "need_group": look_up(NEED_GROUPS, people.need_group),
            "effect_group": look_up(EFFECT_GROUPS, people.effect_group),
            "dropped_out_on": look_up(first_days, np.where(gone, month_of(np.minimum(ends_at, END)), 0), gone),
            "first_name": people.first,
            "last_name": people.last,
            "birth_date": people.birth_date,
        }
    )


def _state_truth(first_person: int, lives: Lives) -> pa.Table:
    """Write the months in which a person's state changes; in the months between, the state stays what it was."""
    state = lives.state
    before = np.concatenate([np.full((len(state), 1), -1, dtype=state.dtype), state[:, :-1]], axis=1)
    person, month = np.nonzero(state != before)
    return string_table(
        {
            "person_id": number_column(first_person + person),
            "month": look_up(MONTH_TEXT, month),
            "state": look_up(STATES, state[person, month].astype(np.int64)),
        }
    )
