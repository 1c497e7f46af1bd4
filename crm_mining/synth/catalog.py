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

# name, list price in EUR, and c for what is used up and bought again
_ASSORTMENT = {
    "Coffee & Tea": """Espresso Machine Bella|329.00|
Coffee Grinder Stone|89.90|
Coffee Beans Arabica 1 kg|18.90|c
Coffee Beans Decaf 500 g|11.50|c
Descaler Liquid 500 ml|8.90|c
Milk Frother Pro|49.90|
Water Filter Cartridge|12.90|c
Tea Kettle Copper|64.00|
Green Tea Sencha 250 g|14.50|c
Travel Mug Steel|24.90|
Espresso Cups Set of 6|32.00|
Paper Filters No. 4|3.90|c""",
    "Kitchen": """Chef's Knife 20 cm|74.90|
Knife Sharpener|29.90|
Cutting Board Oak|39.00|
Cast Iron Pan 28 cm|59.90|
Stock Pot 10 l|69.00|
Stand Mixer|249.00|
Baking Mat Silicone|14.90|
Baking Tins Set of 3|27.50|
Pizza Stone|34.90|
Spice Rack Bamboo|22.90|
Vacuum Bags 50|16.90|c
Dish Cloths Set of 5|7.90|c""",
    "Garden": """Raised Bed Larch|119.00|
Potting Soil 40 l|9.90|c
Tomato Seeds Mix|4.50|c
Seed Starter Tray|12.90|
Organic Fertiliser 5 kg|15.90|c
Garden Hose 25 m|39.90|
Pruning Shears|28.50|
Watering Can 9 l|19.90|
Lawn Mower Electric|279.00|
Lawn Seed 2 kg|21.90|c
Garden Gloves|8.50|
Compost Bin 300 l|54.00|""",
    "Tools": """Cordless Drill 18 V|129.00|
Drill Bit Set|34.90|
Wall Plugs Assorted|6.90|c
Screwdriver Set|26.90|
Spirit Level 60 cm|18.90|
Tape Measure 5 m|7.90|
Sanding Paper Mix|9.90|c
Orbital Sander|69.90|
Wood Oil 1 l|22.50|c
Paint Roller Set|13.90|
Wall Paint White 10 l|44.90|c
Masking Tape 50 m|4.20|c""",
    "Pets": """Cat Tree Tall|99.00|
Cat Litter 20 l|12.90|c
Litter Box Covered|39.90|
Cat Food Salmon 4 kg|24.90|c
Dog Food Lamb 12 kg|49.90|c
Dog Bed Large|59.00|
Dog Leash Leather|27.90|
Dog Treats 500 g|6.90|c
Poop Bags 120|5.90|c
Pet Brush|11.90|
Aquarium 60 l|139.00|
Fish Food 250 ml|7.50|c""",
    "Outdoor": """Tent Two Persons|179.00|
Sleeping Bag Down|149.00|
Camping Mat|44.90|
Gas Stove Compact|39.90|
Gas Cartridge 230 g|6.50|c
Headlamp 400 lm|34.90|
Hiking Socks Merino|19.90|
Backpack 45 l|109.00|
Water Bottle 1 l|22.90|
First Aid Kit|24.90|
Trekking Poles|59.90|
Sun Cream SPF 50|13.90|c""",
    "Office": """Desk Height Adjustable|449.00|
Office Chair Mesh|289.00|
Monitor Arm|79.90|
Desk Lamp LED|49.90|
Printer Laser|199.00|
Toner Cartridge Black|69.90|c
Copy Paper 2500 sheets|24.90|c
Notebook A5 Dotted|8.90|c
Gel Pens Set of 10|11.90|c
File Folders 25|17.50|c
Whiteboard 120 cm|89.00|
Whiteboard Markers 8|9.90|c""",
    "Home Textiles": """Duvet Cover Linen|119.00|
Pillow Case Linen|29.90|
Wool Blanket|89.00|
Bath Towel|19.90|
Bath Mat Cotton|24.90|
Curtains Velvet|79.00|
Scented Candle Fig|16.90|c
Cushion Cover|14.90|
Tablecloth Linen|54.90|
Napkins Linen Set of 4|26.90|
Rug Jute 160 cm|139.00|
Laundry Basket|34.90|""",
}
CATEGORIES = tuple(_ASSORTMENT)
NEED_GROUPS = ("connoisseur", "gardener", "animal_friend", "maker")
NEED_GROUP_SHARES = (0.30, 0.26, 0.22, 0.22)
# How much each need group (row) cares for each category (column, in the order above).
_PREFERENCES = np.array([
    [4.2, 3.2, 0.4, 0.3, 0.3, 0.5, 0.7, 1.8],
    [0.6, 0.9, 4.5, 1.6, 0.9, 1.2, 0.3, 0.6],
    [0.6, 0.6, 0.8, 0.4, 5.2, 2.4, 0.3, 0.7],
    [0.9, 0.4, 0.7, 3.4, 0.3, 0.8, 4.0, 0.5],
])  # fmt: skip
_SEASONAL = {  # demand by calendar month, where it is not even
    "Garden": (0.3, 0.5, 1.5, 2.3, 2.2, 1.5, 1.0, 0.8, 0.8, 0.5, 0.3, 0.2),
    "Outdoor": (0.4, 0.5, 0.7, 1.0, 1.5, 1.9, 2.0, 1.6, 0.9, 0.6, 0.5, 0.6),
    "Office": (1.3, 1.0, 1.0, 0.9, 0.9, 0.8, 0.8, 1.1, 1.3, 1.1, 1.0, 0.8),
    "Home Textiles": (1.1, 1.0, 0.8, 0.8, 0.8, 0.7, 0.7, 0.8, 1.0, 1.2, 1.4, 1.6),
}
# First and last month (from 2023-01) on sale, where not always.
_LAUNCHED = {"Milk Frother Pro": 8, "Pizza Stone": 14, "Trekking Poles": 15, "Monitor Arm": 20, "Rug Jute 160 cm": 26}
_DISCONTINUED = {"Tea Kettle Copper": 27, "Compost Bin 300 l": 22, "Curtains Velvet": 30}
PRICE_INDEX = (1.00, 1.03, 1.05)


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


_BUNDLES = (
    (("Espresso Machine Bella",), "Coffee Beans Arabica 1 kg", 0.55),
    (("Coffee Beans Arabica 1 kg", "Coffee Grinder Stone"), "Espresso Cups Set of 6", 0.45),
    (("Chef's Knife 20 cm",), "Knife Sharpener", 0.50),
    (("Stand Mixer", "Baking Mat Silicone"), "Baking Tins Set of 3", 0.60),
    (("Raised Bed Larch",), "Potting Soil 40 l", 0.65),
    (("Seed Starter Tray", "Potting Soil 40 l"), "Tomato Seeds Mix", 0.60),
    (("Cordless Drill 18 V",), "Drill Bit Set", 0.50),
    (("Drill Bit Set", "Wall Plugs Assorted"), "Spirit Level 60 cm", 0.45),
    (("Litter Box Covered",), "Cat Litter 20 l", 0.60),
    (("Tent Two Persons", "Sleeping Bag Down"), "Camping Mat", 0.55),
    (("Whiteboard 120 cm",), "Whiteboard Markers 8", 0.60),
    (("Duvet Cover Linen",), "Pillow Case Linen", 0.65),
)
_SEQUENCES = (
    ("Espresso Machine Bella", "Descaler Liquid 500 ml", 0.35),
    ("Seed Starter Tray", "Organic Fertiliser 5 kg", 0.35),
    ("Printer Laser", "Toner Cartridge Black", 0.40),
    ("Cat Tree Tall", "Pet Brush", 0.30),
    ("Gas Stove Compact", "Gas Cartridge 230 g", 0.40),
    ("Orbital Sander", "Wood Oil 1 l", 0.35),
)
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
    rows = [(name, *line.split("|")) for name, block in _ASSORTMENT.items() for line in block.splitlines()]
    names = tuple(row[1] for row in rows)
    at = {name: position for position, name in enumerate(names)}
    category = np.array([CATEGORIES.index(row[0]) for row in rows], dtype=np.int64)
    list_cents = np.array([round(float(row[2]) * 100) for row in rows], dtype=np.int64)
    rng = np.random.default_rng(20230101)
    cost_cents = np.rint(list_cents * rng.uniform(0.42, 0.66, len(rows))).astype(np.int64)
    consumable = np.array([row[3] == "c" for row in rows], dtype=np.int64)
    first_month, last_month = np.zeros(len(rows), dtype=np.int64), np.full(len(rows), N_MONTHS, dtype=np.int64)
    for name, month in _LAUNCHED.items():
        first_month[at[name]] = month
    for name, month in _DISCONTINUED.items():
        last_month[at[name]] = month

    # Cheap and consumable goods are bought more often, and favourites exist within each category.
    appeal = (1.0 + 0.9 * consumable) * (list_cents / 2500.0) ** -0.35 * rng.lognormal(0.0, 0.35, len(rows))
    months = np.arange(N_MONTHS)
    season = np.ones((N_MONTHS, len(CATEGORIES)))
    for name, shape in _SEASONAL.items():
        season[:, CATEGORIES.index(name)] = np.array(shape)[months % 12]
    on_sale = (months[:, None] >= first_month) & (months[:, None] <= last_month)
    choice = _PREFERENCES[:, None, category] * (season[:, category] * on_sale)[None] * appeal

    bundles = tuple(
        Rule(f"B{number:02d}", "bundle", tuple(at[name] for name in left), at[right], probability, 0)
        for number, (left, right, probability) in enumerate(_BUNDLES, 1)
    )
    sequences = tuple(
        Rule(f"S{number:02d}", "sequence", (at[left],), at[right], probability, SEQUENCE_DAYS)
        for number, (left, right, probability) in enumerate(_SEQUENCES, 1)
    )
    rates = np.array([RATES_TO_EUR[currency] for currency in CURRENCIES]).T  # (year, currency)
    factor = np.array(PRICE_INDEX)[:, None] / rates
    unit_cents = np.rint(list_cents[:, None, None] * factor[None]).astype(np.int64)
    assert unit_cents.shape == (len(rows), len(YEARS), len(CURRENCIES))
    return Catalog(
        names, category, list_cents, cost_cents, consumable, first_month, last_month, bundles, sequences,
        choice.reshape(-1, len(rows)), unit_cents,
    )  # fmt: skip


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
