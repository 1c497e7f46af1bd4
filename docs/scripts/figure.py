"""Draw docs/img/at_work.svg, the README's picture, from a built sample: no number or text of the data is typed here.

.venv/bin/python docs/scripts/figure.py [warehouse.duckdb] [docs/img/at_work.svg]
"""

import sys
from html import escape
from pathlib import Path
from typing import Any

import duckdb

ROOT = Path(__file__).resolve().parents[2]
WIDTH, HEIGHT = 1200, 690
INK, MUTED, LINE, CARD, PAGE = "#1f2d3a", "#5d6d7a", "#c9d3da", "#ffffff", "#f4f7f8"
TEAL, AMBER, RED, BLUE = "#00796b", "#b26a00", "#b3392f", "#2866a8"
CURRENCY = "EUR"  # the var warehouse_currency, as the sample is built
FONT = "font-family=\"-apple-system,'Segoe UI',Helvetica,Arial,'DejaVu Sans',sans-serif\""
MODULES = {"crm": "CRM", "shop": "Shop", "support": "Service desk", "marketing": "Campaigns"}
REPAIRS = {
    "text_encoding": "character set", "city_typo": "typo in a city", "e164": "telephone in E.164",
    "price_off_by_100": "price off by 100", "known_domain_typo": "typo in a mail domain",
}  # fmt: skip
COUNTS = {
    "raw": "select count(*) from raw.{table}",
    "rejected": "select count(*) from marts.dq_rejected_rows",
    "repairs": "select count(*) from marts.dq_repairs",
    "records": "select count(*) from marts.customer_sources",
    "customers": "select count(*) from marts.dim_customers",
    "pairs": "select count(*) from marts.identity_pairs",
    "marts": "select count(*) from duckdb_tables() where schema_name = 'marts'",
}


def facts(con: duckdb.DuckDBPyConnection) -> dict[str, Any]:
    """Read everything that the picture shows."""

    def rows(sql: str) -> list[tuple[Any, ...]]:
        return con.execute(sql).fetchall()

    tables = [name for (name,) in rows("select table_name from duckdb_tables() where schema_name = 'raw' order by all")]
    raw = {
        module: sum(rows(COUNTS["raw"].format(table=t))[0][0] for t in tables if t.startswith(module + "_"))
        for module in MODULES
    }
    found: dict[str, Any] = {name: rows(sql)[0][0] for name, sql in COUNTS.items() if name != "raw"}
    found["raw"] = raw
    found["repaired"] = [
        rows(
            "select rule, old_value, new_value from marts.dq_repairs "
            f"where rule = '{rule}' and length(old_value) between 4 and 26 order by source_table, source_key limit 1"
        )[0]
        for rule in REPAIRS
    ]
    # A customer whom all four systems know, under as many different spellings as there are.
    found["one"] = rows(
        """
        with records as (
            select
                sources.customer_id, records.source, records.email,
                coalesce(records.full_name, records.first_name || ' ' || records.last_name) as name
            from marts.customer_sources as sources
            inner join intermediate.int_person_records_cleaned as records using (record_id)
        ),

        spelt as (
            select customer_id, 3 * count(distinct name) + count(distinct email) as n_spellings
            from records
            group by customer_id
            having count(*) = 4 and count(distinct source) = 4 and count(name) = 4 and count(email) = 4
            order by n_spellings desc, customer_id
            limit 1
        )

        select records.* from records inner join spelt using (customer_id) order by source
        """
    )
    found["revenue"] = rows(
        "select period_start_date, actual, forecast, low_80, high_80 from marts.sales_forecast "
        "where series_id = 'revenue|month|total|total' order by period_start_date desc limit 36"
    )[::-1]
    found["actions"] = rows(
        "select action, count(*) as n, sum(expected_value) as expected from marts.next_best_actions "
        "where action <> 'leave_alone' group by action order by expected desc limit 5"
    )
    return found


def text(x: float, y: float, said: str, *, size: int = 14, fill: str = INK, weight: int = 400, anchor: str = "") -> str:
    """Write a line."""
    end = f' text-anchor="{anchor}"' if anchor else ""
    return (
        f'<text x="{x:g}" y="{y:g}" font-size="{size}" fill="{fill}" font-weight="{weight}"{end}>{escape(said)}</text>'
    )


def card(x: float, y: float, width: float, height: float, edge: str = LINE) -> str:
    """Draw a box."""
    return (
        f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="10" fill="{CARD}" '
        f'stroke="{edge}" stroke-width="1.5"/>'
    )


def arrow(x1: float, y1: float, x2: float, y2: float, colour: str = MUTED) -> str:
    """Draw an arrow."""
    return (
        f'<line x1="{x1:g}" y1="{y1:g}" x2="{x2:g}" y2="{y2:g}" stroke="{colour}" stroke-width="2" '
        f'marker-end="url(#{"red" if colour == RED else "amber" if colour == AMBER else "grey"})"/>'
    )


def draw(found: dict[str, Any]) -> str:
    """Lay the picture out: the way of the data above, what comes of it below."""
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" {FONT} role="img">',
        "<title>The bundled sample on its way through the warehouse</title>",
        "<defs>",
        *(
            f'<marker id="{name}" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" '
            f'orient="auto-start-reverse"><path d="M0 0 8 4 0 8z" fill="{colour}"/></marker>'
            for name, colour in (("grey", MUTED), ("red", RED), ("amber", AMBER))
        ),
        "</defs>",
        f'<rect width="{WIDTH}" height="{HEIGHT}" rx="14" fill="{PAGE}"/>',
        *_way(found),
        *_repairs(found, 24),
        *_one_customer(found, 316),
        *_forecast(found, 608),
        *_actions(found, 900),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _way(found: dict[str, Any]) -> list[str]:
    n_raw = sum(found["raw"].values())
    stages = [
        ("Staging", f"{n_raw:,} rows", "typed and judged"),
        ("Cleaning", f"{n_raw - found['rejected']:,} rows", "repaired, gaps filled"),
        ("Identity", f"{found['records']:,} records", f"{found['pairs']:,} pairs weighed"),
        ("Marts", f"{found['customers']:,} customers", f"{found['marts']} tables"),
    ]
    parts = [text(24, 40, "The bundled sample on its way through the warehouse", size=19, weight=600)]
    for place, (module, name) in enumerate(MODULES.items()):
        y = 66 + place * 46
        parts += [card(24, y, 168, 38), text(36, y + 24, name, size=13, weight=600)]
        parts.append(text(180, y + 24, f"{found['raw'][module]:,}", size=13, fill=MUTED, anchor="end"))
        parts.append(
            f'<path d="M192 {y + 19:g} C 212 {y + 19:g} 208 116 226 116" fill="none" stroke="{LINE}" stroke-width="2"/>'
        )
    for place, (name, count, said) in enumerate(stages):
        x = 232 + place * 196
        edge = TEAL if name == "Marts" else LINE
        parts += [card(x, 70, 164, 92, edge), text(x + 14, 96, name, size=16, weight=600, fill=TEAL)]
        parts += [
            text(x + 14, 121, count, size=16 if len(count) < 15 else 15, weight=600),
            text(x + 14, 145, said, size=13, fill=MUTED),
        ]
        if place < 3:
            parts.append(arrow(x + 166, 116, x + 193, 116))
    parts += [
        arrow(986, 116, 1009, 116), card(1012, 70, 164, 92), text(1026, 96, "Publish", size=16, weight=600, fill=TEAL),
        text(1026, 121, "if all tests pass", size=15, weight=600),
        text(1026, 145, "one file, masked", size=13, fill=MUTED),
    ]  # fmt: skip
    outs = (
        (314, RED, f"{found['rejected']:,} rejected rows", "each with its reasons"),
        (510, AMBER, f"{found['repairs']:,} changed values", "old, new, rule: each a row"),
    )
    for x, colour, count, said in outs:
        parts += [arrow(x, 164, x, 190, colour), text(x, 210, count, size=15, weight=600, fill=colour, anchor="middle")]
        parts.append(text(x, 229, said, size=13, fill=MUTED, anchor="middle"))
    return parts


def _head(x: float, title: str, table: str) -> list[str]:
    return [
        card(x, 268, 276, 400), text(x + 16, 298, title, size=16, weight=600),
        text(x + 16, 319, table, size=12, fill=TEAL),
    ]  # fmt: skip


def _repairs(found: dict[str, Any], x: float) -> list[str]:
    parts = _head(x, "What was repaired?", "marts.dq_repairs")
    for place, (rule, old, new) in enumerate(found["repaired"]):
        y = 350 + place * 63
        parts += [text(x + 16, y, REPAIRS[rule], size=12, fill=MUTED), text(x + 16, y + 20, old, fill=RED)]
        parts += [text(x + 16, y + 40, new, fill=TEAL, weight=600)]
    return parts


def _one_customer(found: dict[str, Any], x: float) -> list[str]:
    parts = _head(x, "Who is one customer?", "marts.customer_sources")
    for place, (_, source, email, name) in enumerate(found["one"]):
        y = 350 + place * 64
        parts += [text(x + 16, y, MODULES[source], size=12, fill=MUTED), text(x + 16, y + 20, name, weight=600)]
        parts.append(text(x + 16, y + 38, email, size=12 if len(email) < 34 else 11))
    key = found["one"][0][0]
    parts.append(f'<line x1="{x + 16}" y1="607" x2="{x + 260}" y2="607" stroke="{LINE}"/>')
    parts += [text(x + 16, 630, "One customer_id:", size=12, fill=MUTED), text(x + 16, 650, key, fill=TEAL, weight=600)]
    return parts


def _forecast(found: dict[str, Any], x: float) -> list[str]:
    rows = found["revenue"]
    parts = _head(x, "What will be sold?", "marts.sales_forecast")
    top = max(max(value for value in row[1:] if value is not None) for row in rows) * 1.05
    left, right, bottom, height = x + 16, x + 260, 590, 220

    def at(place: int, value: float) -> str:
        return f"{left + (right - left) * place / (len(rows) - 1):.1f} {bottom - height * value / top:.1f}"

    known = [(i, row[1]) for i, row in enumerate(rows) if row[1] is not None]
    ahead = [(i, row[2]) for i, row in enumerate(rows) if row[1] is None]
    band = [at(i, rows[i][4]) for i, _ in ahead] + [at(i, rows[i][3]) for i, _ in reversed(ahead)]
    step = 50_000 if top > 120_000 else 20_000
    for value in range(0, int(top) + 1, step):
        y = bottom - height * value / top
        parts.append(f'<line x1="{left:g}" y1="{y:.1f}" x2="{right:g}" y2="{y:.1f}" stroke="{LINE}" stroke-width="1"/>')
        if value:
            parts.append(text(left, y - 4, f"{value // 1000} thousand {CURRENCY}", size=11, fill=MUTED))
    parts.append(f'<polygon points="{", ".join(band)}" fill="{BLUE}" fill-opacity="0.18"/>')
    for line, colour, dash in ((known, INK, ""), ([known[-1], *ahead], BLUE, ' stroke-dasharray="5 4"')):
        points = ", ".join(at(i, value) for i, value in line)
        parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"{dash}/>')
    parts += [text(left, bottom + 18, f"{rows[0][0]:%b %Y}", size=11, fill=MUTED)]
    parts.append(text(right, bottom + 18, f"{rows[-1][0]:%b %Y}", size=11, fill=MUTED, anchor="end"))
    parts += [
        text(left, 636, "Revenue by month,", size=13),
        text(left, 654, "the next 12 with 80 % intervals", size=13, fill=BLUE),
    ]
    return parts


def _actions(found: dict[str, Any], x: float) -> list[str]:
    parts = _head(x, "What to do next?", "marts.next_best_actions")
    most = max(expected for _, _, expected in found["actions"])
    for place, (action, n, expected) in enumerate(found["actions"]):
        y = 350 + place * 63
        parts += [text(x + 16, y, action.replace("_", " "), weight=600)]
        parts.append(text(x + 260, y, f"{n:,} customers", size=12, fill=MUTED, anchor="end"))
        parts.append(
            f'<rect x="{x + 16}" y="{y + 9}" width="{170 * expected / most:.1f}" height="14" rx="3" fill="{TEAL}"/>'
        )
        parts.append(text(x + 260, y + 21, f"+{expected:,.0f} {CURRENCY}", size=13, anchor="end"))
    parts.append(text(x + 16, 654, "Bars: expected value less cost", size=12, fill=MUTED))
    return parts


if __name__ == "__main__":
    warehouse = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "warehouse.duckdb"
    out = Path(sys.argv[2]) if len(sys.argv) > 2 else ROOT / "docs" / "img" / "at_work.svg"
    with duckdb.connect(str(warehouse), read_only=True) as con:
        out.write_text(draw(facts(con)), encoding="utf-8")
    print(f"{out} drawn from {warehouse}")
