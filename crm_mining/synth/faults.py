"""Faults put into the clean world, each with an entry in the truth that tells what is wrong, where, and what is right.

A cell gets at most one fault. Rows that are delivered twice carry no faulty cell, so that each fault can be judged by
itself. Which faults a warehouse can see in the delivered data, and what it ought to do about them, stands in the log:
`repair` (put the right value back), `fill` (a value is missing), `remove` (empty the value: the right one can't be
known), `reject` (refuse the row).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from crm_mining.common.arrays import BoolArray, FloatArray, IntArray
from crm_mining.synth.arrays import string_table, texts
from crm_mining.synth.calendar import DATE_TEXT
from crm_mining.synth.campaigns import campaigns
from crm_mining.synth.fault_kinds import KEYS, PERSON_TABLES, Fault, event_faults, person_faults
from crm_mining.synth.names import first_name_set, last_name_set

INVISIBLE_KINDS = frozenset({
    "typo_name", "typo_street", "typo_email_local", "typo_company", "typo_job_title", "typo_product_name",
    "typo_subject",
})  # fmt: skip
_REDELIVERED = ("shop.orders", "shop.order_lines", "support.tickets", "marketing.touches")


@dataclass(frozen=True)
class _Entry:
    """Entries of the log for one kind in one table: row positions after all rows were added, and values."""

    table: str
    rows: IntArray
    columns: list[str]
    kind: str
    wrong: list[str | None]
    right: list[str | None]
    expected: str
    visible: list[bool]


def redelivered_days(seed: int) -> list[str]:
    """Choose the whole days that are delivered twice: two at random and the last day on which a campaign wrote."""
    rng = np.random.default_rng([seed, 3])
    some = rng.choice(len(DATE_TEXT) - 40, 2, replace=False) + 20
    campaign = campaigns()[int(rng.integers(len(campaigns())))]
    sent = np.datetime64(campaign.starts_at, "s").astype("datetime64[D]") + 2
    return sorted({str(DATE_TEXT[day]) for day in some} | {str(sent)})


# Share of rows with a faulty cell, as a multiple of the fault rate; and share of rows delivered twice.
_CELL_SHARE = {
    **dict.fromkeys(PERSON_TABLES, 1.0), "shop.products": 0.3, "marketing.campaigns": 0.3, "shop.orders": 0.2,
    "shop.order_lines": 0.08, "support.tickets": 0.8, "marketing.touches": 0.06, "shop.web_events": 0.04,
    "crm.opportunities": 0.5, "crm.opportunity_stages": 0.25,
}  # fmt: skip
_DUPLICATE_SHARE = {
    **dict.fromkeys(PERSON_TABLES, 0.12), "shop.products": 0.4, "shop.orders": 0.06, "shop.order_lines": 0.03,
    "support.tickets": 0.12, "marketing.touches": 0.06, "shop.web_events": 0.04, "crm.opportunities": 0.12,
    "crm.opportunity_stages": 0.08,
}  # fmt: skip
_KEY_SHARE = 0.03  # share of person records without a key, as a multiple of the fault rate
_USUAL_RATE = 0.05


class FaultMaker:
    """Put faults into the tables of one piece of the world, and keep the log."""

    def __init__(self, rng: np.random.Generator, rate: float, share_of_world: float, first_fault: int) -> None:
        """Set how many faults to make.

        Parameters
        ----------
        rng
            Source of randomness.
        rate
            Share of the person records that get a faulty cell; 0 makes no fault at all.
        share_of_world
            Which part of the world these tables are; the least numbers of faults are split in proportion.
        first_fault
            Number of the first fault.
        """
        self._rng = rng
        self._rate = rate
        self._least = min(rate / _USUAL_RATE, 1.0) * share_of_world
        self._next = first_fault
        self._entries: list[_Entry] = []
        self._tables: dict[str, pa.Table] = {}

    def spoil(self, raw: dict[str, pa.Table], days: list[str] | None = None) -> dict[str, pa.Table]:
        """Return the tables with faults in them.

        Parameters
        ----------
        raw
            Tables by path, such as 'raw/shop/orders'.
        days
            Days ('YYYY-MM-DD') whose rows are delivered twice.
        """
        if self._rate == 0:
            return raw
        spoilt = {}
        for path, table in raw.items():
            name = path.removeprefix("raw/").replace("/", ".")
            spoilt[path] = self._tables[name] = self._spoil_table(name, table, days or [])
        return spoilt

    def _spoil_table(self, name: str, table: pa.Table, days: list[str]) -> pa.Table:
        """Spoil one table: rows delivered twice are chosen first and kept clean."""
        n = table.num_rows
        again, twice = self._rows_again(name, table, days)
        cells = _Cells(table, self._rng)
        cells.rows_taken[again] = True
        cells.rows_taken[twice] = True
        is_person = name in PERSON_TABLES
        faults = person_faults(set(table.column_names)) if is_person else event_faults(name)
        total = sum(fault.weight for fault in faults)
        wanted = n * self._rate * _CELL_SHARE.get(name, 0.0)
        for fault in faults:
            count = max(round(wanted * fault.weight / total), round(fault.minimum * self._least))
            self._spoil_cells(name, cells, fault, count)
            if is_person:  # some records are spoilt in a second cell, too
                self._spoil_cells(name, cells, fault, round(0.15 * count), spoilt_rows=True)
        if is_person:
            missing = Fault("missing_key", KEYS[name], 1, None, "reject")
            self._spoil_cells(name, cells, missing, max(round(n * self._rate * _KEY_SHARE), round(4 * self._least)))
        delivered = cells.table()
        if len(again) + len(twice):
            delivered = pa.concat_tables([delivered, delivered.take(again), _redelivered(delivered.take(twice))])
            delivered = delivered.combine_chunks()
        self._entries += [
            _Entry(
                name,
                rows,
                ["*"] * len(rows),
                kind,
                [None] * len(rows),
                [None] * len(rows),
                "reject",
                [True] * len(rows),
            )
            for kind, rows in (("duplicate_row", again), ("redelivered_day", twice))
            if len(rows)
        ]
        return delivered

    def _rows_again(self, name: str, table: pa.Table, days: list[str]) -> tuple[IntArray, IntArray]:
        """Choose the rows that are repeated exactly, and those of the days that are delivered twice."""
        n = table.num_rows
        twice = np.zeros(n, dtype=bool)
        if name in _REDELIVERED and days:
            delivered_on = pc.utf8_slice_codeunits(table["loaded_at"], 0, 10)
            twice = pc.is_in(delivered_on, pa.array(days)).to_numpy(zero_copy_only=False)
        count = min(round(max(n * self._rate * _DUPLICATE_SHARE.get(name, 0.0), 2 * self._least)), n // 4)
        if name == "marketing.campaigns":
            count = 0
        free = np.flatnonzero(~twice)
        again = np.sort(self._rng.choice(free, count, replace=False)) if count else np.zeros(0, dtype=np.int64)
        return again, np.flatnonzero(twice)

    def _spoil_cells(self, name: str, cells: _Cells, fault: Fault, count: int, spoilt_rows: bool = False) -> None:
        """Spoil `count` cells by one fault, as far as there are cells that can be spoilt so."""
        if count == 0:
            return
        if fault.kind == "name_parts_swapped":
            self._swap_names(name, cells, count, spoilt_rows)
            return
        share = np.ones(len(fault.columns))
        counts = np.bincount(self._rng.choice(len(fault.columns), count, p=share / share.sum()), minlength=len(share))
        for column, wanted in zip(fault.columns, counts, strict=True):
            rows, wrong, right = [], [], []
            for row in cells.candidates(column, int(wanted), fault, spoilt_rows):
                value = cells.value(column, row)
                bad = None if fault.spoil is None else fault.spoil(self._rng, value)
                if bad == value or (bad is None and fault.spoil is not None):
                    continue
                rows.append(row)
                wrong.append(bad)
                right.append(value)
                if len(rows) == wanted:
                    break
            cells.put(column, rows, wrong)
            if rows:
                visible = [_is_visible(fault.kind, column, value) for value in right]
                self._entries.append(
                    _Entry(
                        name,
                        np.array(rows),
                        [column] * len(rows),
                        fault.kind,
                        wrong,
                        list(right),
                        fault.expected,
                        visible,
                    )
                )

    def _swap_names(self, name: str, cells: _Cells, count: int, spoilt_rows: bool) -> None:
        """Exchange first and last name in some rows; both cells are logged."""
        fault = Fault("name_parts_swapped", ("first_name", "last_name"), 0, None)
        rows, firsts, lasts, visible = [], [], [], []
        for row in cells.candidates("first_name", count, fault, spoilt_rows):
            if not cells.is_free("last_name", row):
                continue
            first, last = cells.value("first_name", row), cells.value("last_name", row)
            if first == last or last == "":
                continue
            rows.append(row)
            firsts.append(first)
            lasts.append(last)
            visible.append(last not in first_name_set() and first not in last_name_set())
            if len(rows) == count:
                break
        cells.put("first_name", rows, list(lasts))
        cells.put("last_name", rows, list(firsts))
        if rows:
            both = np.repeat(np.array(rows), 2)
            columns = ["first_name", "last_name"] * len(rows)
            wrong = [value for pair in zip(lasts, firsts, strict=True) for value in pair]
            right = [value for pair in zip(firsts, lasts, strict=True) for value in pair]
            shown = [value for value in visible for _ in range(2)]
            self._entries.append(_Entry(name, both, columns, fault.kind, list(wrong), list(right), "repair", shown))

    def log(self) -> pa.Table:
        """Write the log of all faults made so far, with the keys as they were delivered."""
        columns: dict[str, list[str | None]] = {
            name: []
            for name in (
                "fault_id", "source_table", "source_key", "column_name", "kind", "wrong_value", "right_value",
                "expected",
                "is_visible",
            )
        }  # fmt: skip
        for entry in self._entries:
            size = len(entry.rows)
            columns["fault_id"] += [f"F{number}" for number in range(self._next, self._next + size)]
            self._next += size
            keys = self._tables[entry.table].select(list(KEYS[entry.table])).take(entry.rows)
            key = pc.binary_join_element_wise(*[pc.fill_null(column, "") for column in keys.columns], "|")
            columns["source_table"] += [entry.table] * size
            columns["source_key"] += [value or None for value in key.to_pylist()]
            columns["column_name"] += entry.columns
            columns["kind"] += [entry.kind] * size
            columns["wrong_value"] += entry.wrong
            columns["right_value"] += entry.right
            columns["expected"] += [entry.expected] * size
            columns["is_visible"] += ["true" if value else "false" for value in entry.visible]
        return string_table({name: texts(values) for name, values in columns.items()})


class _Cells:
    """The cells of a table while faults are put in: which are taken, and what replaces them."""

    def __init__(self, table: pa.Table, rng: np.random.Generator) -> None:
        self._table = table
        self._rng = rng
        self._taken: dict[str, BoolArray] = {}
        self._new: dict[str, tuple[list[int], list[str | None]]] = {}
        self.rows_taken: BoolArray = np.zeros(table.num_rows, dtype=bool)  # rows with a faulty cell, or delivered twice
        self._spoilt: BoolArray = np.zeros(table.num_rows, dtype=bool)

    def _is_taken(self, column: str) -> BoolArray:
        """Say which cells of a column are spoilt."""
        return self._taken.setdefault(column, np.zeros(self._table.num_rows, dtype=bool))

    def is_free(self, column: str, row: int) -> bool:
        """Say whether a cell can still be spoilt."""
        return not self._is_taken(column)[row]

    def value(self, column: str, row: int) -> str:
        """Read a clean value; a missing one is an empty text."""
        return self._table[column][row].as_py() or ""

    def candidates(self, column: str, count: int, fault: Fault, spoilt_rows: bool) -> list[int]:
        """List cells to try, in random order and more than needed, since not every value can be spoilt in every way."""
        values = self._table[column]
        usable = pc.is_valid(values).to_numpy(zero_copy_only=False)
        if fault.kind in ("text_encoding", "unicode_decomposed"):
            usable &= ~pc.string_is_ascii(values).fill_null(True).to_numpy(zero_copy_only=False)
        if fault.kind == "price_off_by_100":
            usable &= pc.not_equal(values, "0.00").to_numpy(zero_copy_only=False)
        usable &= (self._spoilt & ~self._is_taken(column)) if spoilt_rows else ~self.rows_taken
        if fault.expected == "reject" and spoilt_rows:
            return []
        rows = np.flatnonzero(usable)
        if not len(rows) or count == 0:
            return []
        size = min(len(rows), 12 * count + 20)
        if fault.by_value:
            weight = _likelihood(column, pc.cast(values.take(rows), pa.float64()).to_numpy())
            drawn = self._rng.choice(rows, min(size, int((weight > 0).sum())), replace=False, p=weight / weight.sum())
        else:
            drawn = self._rng.choice(rows, size, replace=False)
        return [int(row) for row in drawn]

    def put(self, column: str, rows: list[int], values: list[str | None]) -> None:
        """Replace cells."""
        kept = self._new.setdefault(column, ([], []))
        kept[0].extend(rows)
        kept[1].extend(values)
        self._is_taken(column)[rows] = True
        self.rows_taken[rows] = True
        self._spoilt[rows] = True

    def table(self) -> pa.Table:
        """Build the table with the replaced cells."""
        table = self._table
        for column, (rows, values) in self._new.items():
            order = np.argsort(np.array(rows, dtype=np.int64), kind="stable")
            mask = np.zeros(table.num_rows, dtype=bool)
            mask[rows] = True
            new = pa.array([values[position] for position in order], pa.string())
            old = table[column].combine_chunks() if isinstance(table[column], pa.ChunkedArray) else table[column]
            replaced = pc.replace_with_mask(old, pa.array(mask), new)
            table = table.set_column(table.column_names.index(column), column, replaced)
        return table


def _likelihood(column: str, values: FloatArray) -> FloatArray:
    """Give how likely each value is to be withheld: high incomes, large households, low satisfaction."""
    size = -values if column == "satisfaction" else values
    rank = np.argsort(np.argsort(size, kind="stable"), kind="stable") / max(len(size) - 1, 1)
    return 0.05 + rank**3


def _redelivered(rows: pa.Table) -> pa.Table:
    """Give rows the instant of a delivery three days later."""
    if not rows.num_rows:
        return rows
    days = np.array([str(day)[:10] for day in rows["loaded_at"].to_pylist()], dtype="datetime64[D]") + 3
    loaded = pa.array([f"{day} 23:59:59" for day in days], pa.string())
    return rows.set_column(rows.column_names.index("loaded_at"), "loaded_at", loaded)


def _is_visible(kind: str, column: str, right: str) -> bool:
    """Say whether the delivered data can show a fault by itself."""
    if kind == "day_month_swapped":
        return int(right[8:10]) > 12
    return kind not in INVISIBLE_KINDS
