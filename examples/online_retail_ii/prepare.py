"""Map the UCI file Online Retail II onto the raw contract of the warehouse (module `shop`), as Parquet.

Nothing is cleaned, repaired or dropped here; that is the warehouse's work. README.md says what comes out and why.
"""

import argparse
import sys
from pathlib import Path

import duckdb

COLUMNS = ("Invoice", "StockCode", "Description", "Quantity", "InvoiceDate", "Price", "Customer ID", "Country")

# The file's columns under the names of the contract, renamed once for all tables below. Customer numbers are whole, but
# arrive as floating point because some are missing.
LINES = """
create table lines as
select
    "Invoice"::varchar as order_id,
    "StockCode"::varchar as product_id,
    "Description"::varchar as line_text,
    "Quantity"::bigint as quantity,
    "InvoiceDate"::timestamp as line_at,
    "Price"::double as unit_price,
    "Customer ID"::bigint::varchar as customer_id,
    "Country"::varchar as country
from read_parquet(?)
"""

# One query for each raw table, each with a total order: the same source always gives the same rows in the same order.
TABLES = {
    "customers": """
        with counted as (
            select customer_id, country, count(*) as n_lines
            from lines
            where customer_id is not null
            group by customer_id, country
        )

        select customer_id, country
        from counted
        qualify row_number() over (partition by customer_id order by n_lines desc, country) = 1
        order by customer_id
    """,
    "products": """
        with prices as (
            select product_id, median(unit_price) filter (where unit_price > 0) as list_price
            from lines
            group by product_id
        ),

        texts as (
            select product_id, line_text as product_name
            from lines
            where trim(line_text) != ''
            group by product_id, line_text
            qualify row_number() over (partition by product_id order by count(*) desc, line_text) = 1
        )

        select product_id, product_name, list_price, 'GBP' as currency
        from prices
        left join texts using (product_id)
        order by product_id
    """,
    # README.md explains the three types and what in the data speaks for them.
    "orders": """
        select
            order_id,
            any_value(customer_id) as customer_id,
            min(line_at) as ordered_at,
            case
                when order_id like 'C%' then 'return'
                when order_id like 'A%' then 'adjustment'
                when max(quantity) <= 0 then 'adjustment'
                when max(abs(unit_price)) = 0 and max(customer_id) is null then 'adjustment'
                when min(quantity) > 0 then 'sale'
            end as order_type,
            'GBP' as currency
        from lines
        group by order_id
        order by order_id
    """,
    "order_lines": """
        select order_id, product_id, quantity, unit_price, line_at, line_text
        from lines
        order by all
    """,
    "web_events": """
        select null::varchar as visitor_id, null::timestamp as event_at, null::varchar as event_name
        limit 0
    """,
}

# Customer and country stand on the order, not on its lines. Were they to vary within an invoice, two different lines of
# the file could become equal rows and the warehouse would take one for a copy of the other.
AMBIGUOUS = """
select order_id
from lines
group by order_id
having count(distinct coalesce(customer_id, '')) > 1 or count(distinct coalesce(country, '')) > 1
order by order_id
"""


def check_source(connection: duckdb.DuckDBPyConnection, source: Path) -> None:
    """Stop with a message that names what is wrong when the source is missing, is no Parquet file or lacks a column."""
    if not source.is_file():
        sys.exit(f"source file not found: {source}")
    try:
        described = connection.execute("describe select * from read_parquet(?)", [str(source)]).fetchall()
    except duckdb.Error as error:
        sys.exit(f"cannot read {source} as Parquet: {str(error).splitlines()[0]}")
    found = [str(row[0]) for row in described]
    missing = [column for column in COLUMNS if column not in found]
    if missing:
        sys.exit(f"{source} lacks the column(s) {', '.join(missing)}; it has {', '.join(found)}")


def prepare(source: Path, out: Path) -> dict[str, int]:
    """Write `<out>/shop/<table>.parquet` for every raw table and return the number of rows of each."""
    with duckdb.connect() as connection:
        check_source(connection, source)
        connection.execute(LINES, [str(source)])
        ambiguous = [row[0] for row in connection.execute(AMBIGUOUS).fetchall()]
        if ambiguous:
            sys.exit(f"{len(ambiguous)} invoice(s) name several customers or countries, among them {ambiguous[0]}")
        folder = out / "shop"
        folder.mkdir(parents=True, exist_ok=True)
        written = {}
        for table, query in TABLES.items():
            rows = connection.sql(query)
            rows.write_parquet(str(folder / f"{table}.parquet"), compression="zstd")
            written[table] = len(connection.read_parquet(str(folder / f"{table}.parquet")))
    return written


def main() -> None:
    """Read the command line, write the tables and say how many rows each has."""
    parser = argparse.ArgumentParser(description="Map Online Retail II onto the raw contract of the warehouse.")
    parser.add_argument("--source", type=Path, required=True, help="the UCI data as one Parquet file")
    parser.add_argument("--out", type=Path, required=True, help="folder for the raw tables: <out>/shop/<table>.parquet")
    arguments = parser.parse_args()
    for table, n_rows in prepare(arguments.source, arguments.out).items():
        print(f"shop.{table}: {n_rows} rows")


if __name__ == "__main__":
    main()
