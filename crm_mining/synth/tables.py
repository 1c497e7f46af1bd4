"""The event tables as a source would deliver them: keys, text, and the instant of delivery."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from crm_mining.common.arrays import IntArray
from crm_mining.synth.arrays import instant_column, key_column, look_up, money_column, number_column, string_table
from crm_mining.synth.calendar import DATE_TEXT, DAY, START, day_of
from crm_mining.synth.campaigns import Touches, campaigns, promotions
from crm_mining.synth.catalog import product_keys
from crm_mining.synth.geography import CURRENCIES
from crm_mining.synth.pipeline import LEAD_SOURCES, OWNERS, STAGES, Pipeline
from crm_mining.synth.purchases import CHANNELS as ORDER_CHANNELS
from crm_mining.synth.purchases import STATUSES as ORDER_STATUSES
from crm_mining.synth.purchases import Orders
from crm_mining.synth.records import KEY_PREFIX, Records
from crm_mining.synth.service import CATEGORIES as TICKET_CATEGORIES
from crm_mining.synth.service import CHANNELS as TICKET_CHANNELS
from crm_mining.synth.service import PRIORITIES, Tickets
from crm_mining.synth.service import STATUSES as TICKET_STATUSES
from crm_mining.synth.web import EVENTS, PAGE_VIEW, PAGES, SOURCES, WebEvents

_LOADED = [f"{date} 23:59:59" for date in DATE_TEXT]  # each day is delivered at its end


@dataclass(frozen=True)
class Keys:
    """First number of each kind of key in a chunk."""

    order: int
    ticket: int
    touch: int
    opportunity: int
    event: int
    visitor: int


def _loaded(seconds: IntArray) -> pa.Array:
    """Write when the day of each event was delivered."""
    return look_up(_LOADED, day_of(seconds))


def order_tables(orders: Orders, account: IntArray, customers: Records, first: int) -> tuple[pa.Table, pa.Table]:
    """Write shop.orders and shop.order_lines; `account` is the position of each order's record, -1 for a guest."""
    key = key_column("O", first + np.arange(orders.n))
    owner = key_column(KEY_PREFIX["shop.customers"], customers.key[np.maximum(account, 0)], account >= 0)
    codes = [promotion.code for promotion in promotions()]
    loaded = _loaded(orders.at)
    table = string_table(
        {
            "order_id": key,
            "customer_id": owner,
            "ordered_at": instant_column(orders.at),
            "order_type": look_up(["sale", "return"], (orders.returned >= 0).astype(np.int64)),
            "returned_order_id": key_column("O", first + orders.returned, orders.returned >= 0),
            "status": look_up(ORDER_STATUSES, orders.status),
            "channel": look_up(ORDER_CHANNELS, orders.channel),
            "currency": look_up(CURRENCIES, orders.currency),
            "promotion_code": look_up(codes, np.maximum(orders.promotion, 0), orders.promotion >= 0),
            "amount": money_column(orders.amount),
            "loaded_at": loaded,
        }
    )
    lines = string_table(
        {
            "order_id": key_column("O", first + orders.line_order),
            "line_number": number_column(orders.line_number),
            "product_id": look_up(product_keys(), orders.line_product),
            "quantity": number_column(orders.line_quantity),
            "unit_price": money_column(orders.line_unit),
            "discount_amount": money_column(orders.line_discount, orders.line_discount > 0),
            "loaded_at": _loaded(orders.at[orders.line_order]),
        }
    )
    return table, lines


def ticket_table(tickets: Tickets, requester: IntArray, requesters: Records, keys: Keys) -> pa.Table:
    """Write support.tickets; `requester` is the position of each ticket's record."""
    n = len(tickets.person)
    return string_table(
        {
            "ticket_id": key_column("T", keys.ticket + np.arange(n)),
            "requester_id": key_column(KEY_PREFIX["support.requesters"], requesters.key[requester]),
            "opened_at": instant_column(tickets.opened_at),
            "closed_at": instant_column(tickets.closed_at, tickets.closed_at > 0),
            "channel": look_up(TICKET_CHANNELS, tickets.channel),
            "category": look_up(TICKET_CATEGORIES, tickets.category),
            "priority": look_up(PRIORITIES, tickets.priority),
            "status": look_up(TICKET_STATUSES, tickets.status),
            "satisfaction": number_column(tickets.satisfaction, tickets.satisfaction > 0),
            "order_id": key_column("O", keys.order + tickets.order, tickets.order >= 0),
            "product_id": look_up(product_keys(), np.maximum(tickets.product, 0), tickets.product >= 0),
            "subject": tickets.subject,
            "loaded_at": _loaded(tickets.opened_at),
        }
    )


def touch_table(touches: Touches, subscriber: IntArray, subscribers: Records, first: int) -> pa.Table:
    """Write marketing.touches; `subscriber` is the position of each touch's record."""
    n = len(touches.person)
    return string_table(
        {
            "touch_id": key_column("M", first + np.arange(n)),
            "campaign_id": look_up([item.campaign_id for item in campaigns()], touches.campaign),
            "subscriber_id": key_column(KEY_PREFIX["marketing.subscribers"], subscribers.key[subscriber]),
            "touched_at": instant_column(touches.at),
            "is_control": look_up(["false", "true"], touches.is_control.astype(np.int64)),
            "opened_at": instant_column(touches.opened_at, touches.opened_at > 0),
            "clicked_at": instant_column(touches.clicked_at, touches.clicked_at > 0),
            "loaded_at": _loaded(touches.at),
        }
    )


def opportunity_tables(pipeline: Pipeline, contacts: Records, first: int) -> tuple[pa.Table, pa.Table]:
    """Write crm.opportunities and crm.opportunity_stages."""
    n = len(pipeline.contact)
    table = string_table(
        {
            "opportunity_id": key_column("D", first + np.arange(n)),
            "contact_id": key_column(KEY_PREFIX["crm.contacts"], contacts.key[pipeline.contact]),
            "created_at": instant_column(pipeline.created_at),
            "stage": look_up(STAGES, pipeline.stage),
            "amount": money_column(pipeline.amount),
            "currency": look_up(CURRENCIES, pipeline.currency),
            "product_id": look_up(product_keys(), pipeline.product),
            "expected_close_date": look_up(DATE_TEXT, (pipeline.expected_close - START) // DAY),
            "closed_at": instant_column(pipeline.closed_at, pipeline.closed_at > 0),
            "owner": look_up(OWNERS, pipeline.owner),
            "lead_source": look_up(LEAD_SOURCES, pipeline.source),
        }
    )
    stages = string_table(
        {
            "opportunity_id": key_column("D", first + pipeline.step_opportunity),
            "stage": look_up(STAGES, pipeline.step_stage),
            "entered_at": instant_column(pipeline.step_at),
        }
    )
    return table, stages


def event_table(events: WebEvents, account: IntArray, customers: Records, keys: Keys) -> pa.Table:
    """Write shop.web_events; `account` is the position of the record that was logged in, -1 for nobody."""
    n = len(events.at)
    numbers = np.arange(n)
    return string_table(
        {
            "event_id": key_column("E", keys.event + numbers),
            "visitor_id": key_column("v", keys.visitor + events.visitor),
            "session_id": key_column("s", keys.event + events.session),
            "customer_id": key_column(
                KEY_PREFIX["shop.customers"], customers.key[np.maximum(account, 0)], account >= 0
            ),
            "event_at": instant_column(events.at),
            "event_name": look_up(EVENTS, events.event),
            "product_id": look_up(product_keys(), np.maximum(events.product, 0), events.product >= 0),
            "page": look_up(PAGES, events.event),
            # The source is known where the visit begins.
            "traffic_source": look_up(SOURCES, events.source, events.event == PAGE_VIEW),
        }
    )
