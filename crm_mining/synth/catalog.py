"""What the company sells, whom it pleases, and the purchase rules planted for the miners to find."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import pyarrow as pa

from crm_mining.common.arrays import FloatArray, IntArray, TextArray
from crm_mining.synth.arrays import money_column, only, string_table, texts
from crm_mining.synth.calendar import FIRST_DAY_OF_MONTH, N_MONTHS, START, YEARS
from crm_mining.synth.geography import CURRENCIES, RATES_TO_EUR
from crm_mining.synth.lookup import column, rows

CATEGORIES = tuple(dict.fromkeys(column("products", "category")))
NEED_GROUPS = column("need_groups", "need_group")
NEED_GROUP_SHARES = tuple(float(share) for share in column("need_groups", "share"))
#: How much each need group (row) cares for each category (column).
_PREFERENCES = np.array([[float(row[category]) for category in CATEGORIES] for row in rows("need_groups")])
#: Demand by calendar month, where it is not even.
_SEASONAL = {row["category"]: np.array([float(row[str(month)]) for month in range(1, 13)]) for row in rows("seasons")}
#: Prices of each year by those of the first.
PRICE_INDEX = (1.00, 1.03, 1.05)
#: Cost of a product as a share of its list price, drawn evenly between the two.
_COST_SHARE = (0.42, 0.66)
#: Appeal: consumables are bought as much more often; a product at the reference price has 1, dearer ones less by a
#: power of the price; favourites exist within each category (standard deviation of the logarithm).
_CONSUMABLE_APPEAL, _REFERENCE_CENTS, _PRICE_POWER, _FAVOURITES = 0.9, 2500.0, -0.35, 0.35


@dataclass(frozen=True)
class Rule:
    """A planted rule: who buys all of `antecedent` also buys `consequent`.

    In a bundle that happens in the same order, in a sequence in a later one within `within_days`, each time with
    `probability`.
    """

    rule_id: str
    kind: str
    antecedent: tuple[int, ...]
    consequent: int
    probability: float
    within_days: int


#: Within this many days after the antecedent the consequent of a sequence is bought.
SEQUENCE_DAYS = 30


@dataclass(frozen=True)
class Catalog:
    """All products, by position, and the planted rules."""

    names: tuple[str, ...]
    category: IntArray
    list_cents: IntArray
    cost_cents: IntArray
    consumable: IntArray
    first_month: IntArray
    last_month: IntArray
    bundles: tuple[Rule, ...]
    sequences: tuple[Rule, ...]
    choice: FloatArray  # (need group * months + month, product): how likely a product is the next in a basket
    unit_cents: IntArray  # (product, year, currency): price charged

    @property
    def n(self) -> int:
        """Count the products."""
        return len(self.names)


@cache
def catalog() -> Catalog:
    """Build the assortment; it is the same in every world."""
    goods = rows("products")
    names = tuple(row["product"] for row in goods)
    at = {name: position for position, name in enumerate(names)}
    category = np.array([CATEGORIES.index(row["category"]) for row in goods], dtype=np.int64)
    list_cents = np.array([round(float(row["list_price"]) * 100) for row in goods], dtype=np.int64)
    rng = np.random.default_rng(20230101)
    cost_cents = np.rint(list_cents * rng.uniform(*_COST_SHARE, len(goods))).astype(np.int64)
    consumable = np.array([int(row["is_consumable"]) for row in goods], dtype=np.int64)
    first_month = np.array([int(row["first_month"] or 0) for row in goods], dtype=np.int64)
    last_month = np.array([int(row["last_month"] or N_MONTHS) for row in goods], dtype=np.int64)

    by_price = (1.0 + _CONSUMABLE_APPEAL * consumable) * (list_cents / _REFERENCE_CENTS) ** _PRICE_POWER
    appeal = by_price * rng.lognormal(0.0, _FAVOURITES, len(goods))
    months = np.arange(N_MONTHS)
    season = np.ones((N_MONTHS, len(CATEGORIES)))
    for name, shape in _SEASONAL.items():
        season[:, CATEGORIES.index(name)] = shape[months % 12]
    on_sale = (months[:, None] >= first_month) & (months[:, None] <= last_month)
    choice = _PREFERENCES[:, None, category] * (season[:, category] * on_sale)[None] * appeal
    rates = np.array([RATES_TO_EUR[currency] for currency in CURRENCIES]).T  # (year, currency)
    factor = np.array(PRICE_INDEX)[:, None] / rates
    unit_cents = np.rint(list_cents[:, None, None] * factor[None]).astype(np.int64)
    assert unit_cents.shape == (len(goods), len(YEARS), len(CURRENCIES))
    return Catalog(
        names, category, list_cents, cost_cents, consumable, first_month, last_month,
        _rules("bundle", at), _rules("sequence", at), choice.reshape(-1, len(goods)), unit_cents,
    )  # fmt: skip


def _rules(kind: str, at: dict[str, int]) -> tuple[Rule, ...]:
    """Read the planted rules of one kind; products are given by position."""
    return tuple(
        Rule(
            f"{kind[0].upper()}{number:02d}",
            kind,
            tuple(at[name] for name in row["antecedent"].split(" + ")),
            at[row["consequent"]],
            float(row["probability"]),
            SEQUENCE_DAYS if kind == "sequence" else 0,
        )
        for number, row in enumerate((row for row in rows("purchase_rules") if row["kind"] == kind), 1)
    )


def product_keys() -> list[str]:
    """Write the key of each product."""
    return [f"P{number:03d}" for number in range(1, catalog().n + 1)]


def _month_start(month: IntArray) -> TextArray:
    """Write the first instant of each month as text."""
    seconds = START + FIRST_DAY_OF_MONTH[month] * 86_400
    return np.char.replace(seconds.astype("datetime64[s]").astype(str), "T", " ").astype(object)


def product_table() -> pa.Table:
    """Write shop.products."""
    goods = catalog()
    gone = goods.last_month < N_MONTHS
    ended = only(gone, _month_start(np.minimum(goods.last_month + 1, N_MONTHS - 1)))
    return string_table(
        {
            "product_id": texts(product_keys()),
            "product_name": texts(goods.names),
            "category": texts([CATEGORIES[position] for position in goods.category]),
            "list_price": money_column(goods.list_cents),
            "unit_cost": money_column(goods.cost_cents),
            "currency": texts(["EUR"] * goods.n),
            "launched_at": _month_start(goods.first_month),
            "discontinued_at": ended,
        }
    )


def rule_table() -> pa.Table:
    """Write the planted rules of the truth."""
    keys, rules = product_keys(), [*catalog().bundles, *catalog().sequences]
    return string_table(
        {
            "rule_id": texts([rule.rule_id for rule in rules]),
            "kind": texts([rule.kind for rule in rules]),
            "antecedent": texts([";".join(keys[product] for product in rule.antecedent) for rule in rules]),
            "consequent": texts([keys[rule.consequent] for rule in rules]),
            "probability": texts([str(rule.probability) for rule in rules]),
            "within_days": texts([str(rule.within_days) for rule in rules]),
        }
    )
