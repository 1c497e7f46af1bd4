"""Which items are found in one basket more often than a threshold, exactly, in bounded memory.

An itemset is frequent when enough baskets hold all of its items, and then so are all of its parts (Agrawal & Srikant
1994, *Fast algorithms for mining association rules*, VLDB). Items are numbered from the rarest to the most frequent.
Pairs are counted where they occur, basket by basket, which costs nothing for the many that never do. From three items
on each frequent item has a world of its own (Zaki 2000, *Scalable algorithms for association mining*, IEEE TKDE 12):
the baskets that hold it and its more frequent partners, as strings of bits, so that the support of a set is the number
of ones in the bitwise *and* of two strings. Numbering by rarity keeps these strings short.

SQL only gathers the baskets and numbers their items. That the counting is not done in SQL is what
``benchmarks/itemsets.py`` decided: it runs a level-wise search in DuckDB beside this one.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

import duckdb
import numpy as np
import pyarrow as pa
from scipy import sparse

from crm_mining.common.arrays import BoolArray, IntArray, WordArray
from crm_mining.common.progress import Progress
from crm_mining.common.seeds import SEED

#: Bytes that one step of the search may hold at a time; a search of k items holds k such steps at most.
_STEP_BYTES = 32 * 2**20
#: What a machine counts in a second, roughly, for the estimates of refused searches: pairs, and words of 64 baskets.
_PAIRS_PER_SECOND, _WORDS_PER_SECOND = 5e7, 3e8
#: Longer than this no search may take, by the estimate.
_MAX_SECONDS = 1800

_GROUPED = """
with items as (
    select item_id, row_number() over (order by item_id) - 1 as item
    from (select distinct item_id from lines)
)

select list(items.item::integer) as items
from lines
inner join items using (item_id)
group by lines.basket_id
"""


class SupportTooLowError(ValueError):
    """The search would cost more than is allowed; the message says how much and which support would do."""


@dataclass(frozen=True)
class Baskets:
    """Baskets of items, by number.

    Parameters
    ----------
    item_ids : list of str
        The key of each item, in ascending order.
    basket, item : array of shape (n_rows,)
        Which basket holds which item; sorted, each pair once.
    n_baskets : int
        Every basket holds an item.
    """

    item_ids: list[str]
    basket: IntArray
    item: IntArray
    n_baskets: int


@dataclass(frozen=True)
class Itemsets:
    """Frequent itemsets.

    Parameters
    ----------
    item_ids : list of str
        The key of each item.
    n_baskets : int
        Baskets searched.
    min_count : int
        Baskets that a set had to be found in.
    items : list of arrays
        Of shape (n_sets, k) for k = 1, 2, …: positions in ``item_ids``, ascending within a set, sets in ascending
        order. The last ones may be empty.
    counts : list of arrays of shape (n_sets,)
        Baskets that hold each set.
    n_candidates : list of int
        Sets of k items that were counted to find them.
    """

    item_ids: list[str]
    n_baskets: int
    min_count: int
    items: list[IntArray] = field(default_factory=list)
    counts: list[IntArray] = field(default_factory=list)
    n_candidates: list[int] = field(default_factory=list)

    @property
    def n_sets(self) -> int:
        """Count the sets of all lengths."""
        return sum(len(counts) for counts in self.counts)


def read_baskets(lines: duckdb.DuckDBPyRelation) -> Baskets:
    """Give numbers to the baskets and items of a table.

    Parameters
    ----------
    lines : relation
        ``basket_id, item_id`` of any type; rows may repeat, and those that lack one of the two don't count.

    Returns
    -------
    Baskets
    """
    known = lines.project("basket_id, item_id").filter("basket_id is not null and item_id is not null")
    item_ids = [str(key) for (key,) in known.project("item_id").distinct().order("item_id").fetchall()]
    grouped = known.query("lines", _GROUPED).to_arrow_table()["items"]
    n_baskets, n_items = len(grouped), max(len(item_ids), 1)
    basket = np.repeat(np.arange(n_baskets), np.concatenate([np.zeros(0, np.int64), *map(_lengths, grouped.chunks)]))
    items = [chunk.flatten().to_numpy() for chunk in grouped.chunks]
    # Sorted within each basket, each item once.
    keys = basket * n_items + np.concatenate([np.zeros(0, np.int64), *items])
    keys.sort()
    keys = keys[np.append(True, keys[1:] != keys[:-1])] if len(keys) else keys
    basket = keys // n_items
    return Baskets(item_ids, basket, keys - basket * n_items, n_baskets)


def frequent_itemsets(
    baskets: Baskets, *, min_support: float, max_length: int, max_itemsets: int = 1_000_000
) -> Itemsets:
    """Find every set of at most ``max_length`` items that at least ``min_support`` of the baskets hold.

    Parameters
    ----------
    baskets : Baskets
        As :func:`read_baskets` numbers them.
    min_support : float
        Share of the baskets, above 0, at most 1.
    max_length : int
        Items of the longest sets, 1 or more.
    max_itemsets : int
        More sets than this are not looked for.

    Returns
    -------
    Itemsets
        The same sets and counts as mlxtend's ``apriori`` with ``max_len``.

    Raises
    ------
    SupportTooLowError
        When there are more than ``max_itemsets`` sets, or when counting them would take half an hour.
    ValueError
        When a parameter is outside its range; the message names it.

    Examples
    --------
    >>> rows = duckdb.sql("select unnest(['a', 'a', 'b', 'b', 'c']) as basket_id, unnest([1, 2, 1, 2, 2]) as item_id")
    >>> found = frequent_itemsets(read_baskets(rows), min_support=0.5, max_length=2)
    >>> [items.tolist() for items in found.items], [counts.tolist() for counts in found.counts]
    ([[[0], [1]], [[0, 1]]], [[2, 3], [2]])
    """
    if not 0 < min_support <= 1:
        raise ValueError(f"min_support is {min_support!r}; allowed: above 0, at most 1")
    if max_length < 1:
        raise ValueError(f"max_length is {max_length!r}; allowed: 1 or more")
    min_count = _min_count(min_support, baskets.n_baskets)
    item_counts = np.bincount(baskets.item, minlength=len(baskets.item_ids)).astype(np.int64)
    kept = np.flatnonzero(item_counts >= min_count)
    by_rarity = kept[np.argsort(item_counts[kept], kind="stable")]
    parts: list[list[tuple[IntArray, IntArray]]] = [[] for _ in range(max_length)]
    parts[0].append((by_rarity[:, None], item_counts[by_rarity]))
    n_candidates = [len(baskets.item_ids)] + [0] * (max_length - 1)
    if max_length > 1 and len(by_rarity) > 1:
        search = _Search(baskets, by_rarity, min_count, max_length, max_itemsets, n_candidates)
        for items, counts in search.run():
            parts[items.shape[1] - 1].append((by_rarity[items], counts))
    in_order = [_in_order(found, length) for length, found in enumerate(parts, 1)]
    return Itemsets(
        baskets.item_ids, baskets.n_baskets, min_count,
        [items for items, _ in in_order], [counts for _, counts in in_order], n_candidates,
    )  # fmt: skip


def count_itemsets(baskets: Baskets, item_ids: list[str], items: list[IntArray]) -> list[IntArray]:
    """Count the baskets that hold given sets, for instance of baskets other than those they were found in.

    Parameters
    ----------
    baskets : Baskets
        Baskets to look at.
    item_ids : list of str
        The key of each item of the sets; it may be in none of the baskets.
    items : list of arrays of shape (n_sets, k)
        Positions in ``item_ids``; one array for each k.

    Returns
    -------
    list of arrays of shape (n_sets,)
    """
    used = np.unique(np.concatenate([part.ravel() for part in items] or [np.zeros(0, dtype=np.int64)]))
    row_of_key = {item_ids[position]: row for row, position in enumerate(used)}
    row_of_item = np.array([row_of_key.get(key, -1) for key in baskets.item_ids], dtype=np.int64)
    row = row_of_item[baskets.item] if len(baskets.item) else baskets.item
    basket, row = baskets.basket[row >= 0], row[row >= 0]
    totals = [np.zeros(len(part), dtype=np.int64) for part in items]
    width = 64 * max(1, _STEP_BYTES // (64 * max(len(used), 1)))
    for start in range(0, baskets.n_baskets if len(used) else 0, width):
        first, last = np.searchsorted(basket, [start, start + width])
        bits = _bit_strings(
            row[first:last], basket[first:last] - start, len(used), min(width, baskets.n_baskets - start)
        )
        for part, total in zip(items, totals, strict=True):
            rows = np.searchsorted(used, part)
            step = max(1, _STEP_BYTES // (8 * bits.shape[1]))
            for begin in range(0, len(part), step):
                held = bits[rows[begin : begin + step, 0]]
                for column in range(1, part.shape[1]):
                    held &= bits[rows[begin : begin + step, column]]
                total[begin : begin + step] += _ones(held)
    return totals


class _Search:
    """The search for two items and more; items are numbered by rarity, sets are ascending in these numbers."""

    def __init__(
        self,
        baskets: Baskets,
        by_rarity: IntArray,
        min_count: int,
        max_length: int,
        max_itemsets: int,
        n_candidates: list[int],
    ) -> None:
        self.min_count, self.max_length, self.max_itemsets = min_count, max_length, max_itemsets
        self.n_candidates = n_candidates
        self.n_items = len(by_rarity)
        self.n_found = self.n_items
        number = np.full(len(baskets.item_ids), -1, dtype=np.int64)
        number[by_rarity] = np.arange(self.n_items)
        item = number[baskets.item]
        keys = np.sort(baskets.basket[item >= 0] * self.n_items + item[item >= 0])
        basket = keys // self.n_items
        self.item = (keys - basket * self.n_items).astype(np.int32)
        starts = np.zeros(baskets.n_baskets + 1, dtype=np.int64)
        np.cumsum(np.bincount(basket, minlength=baskets.n_baskets), out=starts[1:])
        self.row_end = starts[1:][basket]
        # Where each item stands, item by item. Small numbers are sorted digit by digit, which is faster.
        small = self.item.astype(np.uint16) if self.n_items < 2**16 else self.item
        self.place = np.argsort(small, kind="stable")
        self.item_starts = np.searchsorted(self.item[self.place], np.arange(self.n_items + 1))
        self.n_baskets = baskets.n_baskets

    def run(self) -> Iterator[tuple[IntArray, IntArray]]:
        """Give sets as arrays of shape (n, k) with their counts, k from 2 on."""
        first, second, counts = self._pairs()
        yield np.column_stack([first, second]), counts
        if self.max_length < 3 or len(first) < 3:
            return
        self.is_pair = sparse.csr_array(
            (np.ones(len(first), dtype=np.int64), (first, second)), shape=(self.n_items, self.n_items)
        )
        self.pair_keys = first * self.n_items + second
        # A set of three is counted when all of its pairs are frequent: the triangles of the graph of pairs.
        triangles = np.asarray((self.is_pair @ self.is_pair).multiply(self.is_pair).sum(axis=1)).ravel()
        sizes = np.diff(self.item_starts)
        words = float(triangles @ ((sizes + 63) // 64))
        if words > _MAX_SECONDS * _WORDS_PER_SECOND:
            raise SupportTooLowError(
                f"{int(triangles.sum()):,} sets of three items would have to be counted, which takes about "
                f"{words / _WORDS_PER_SECOND / 60:,.0f} minutes. {self._advice()}"
            )
        # In an order that has nothing to do with rarity, so that what is done says how much is left.
        classes = np.random.default_rng(SEED).permutation(np.flatnonzero(triangles))
        progress = Progress("sets of three items looked into", int(triangles.sum()))
        done = 0
        for first_item in classes:
            yield from self._class(int(first_item), done / triangles.sum())
            done += int(triangles[first_item])
            progress.update(done)

    def _pairs(self) -> tuple[IntArray, IntArray, IntArray]:
        """Count pairs, for as many first items at a time as a table of counts has room for."""
        work = float((self.row_end - np.arange(len(self.item)) - 1).sum())
        if work > _MAX_SECONDS * _PAIRS_PER_SECOND:
            raise SupportTooLowError(
                f"the baskets hold {work:,.0f} pairs of items, which take about {work / _PAIRS_PER_SECOND / 60:,.0f} "
                f"minutes to count. {self._advice()}"
            )
        self.n_candidates[1] = self.n_items * (self.n_items - 1) // 2
        block = max(1, _STEP_BYTES // (8 * self.n_items))
        found = []
        for start in range(0, self.n_items, block):
            stop = min(start + block, self.n_items)
            counts = np.zeros((stop - start) * self.n_items, dtype=np.int64)
            places = np.sort(self.place[self.item_starts[start] : self.item_starts[stop]])
            row = (self.item[places].astype(np.int64) - start) * self.n_items
            before = np.append(0, np.cumsum(self.row_end[places] - places - 1))
            at = 0
            while at < len(places):
                first, at = at, max(at + 1, int(np.searchsorted(before, before[at] + _STEP_BYTES // 16, "right")) - 1)
                which, following = self._following(places[first:at])
                counts += np.bincount(row[first:at][which] + self.item[following], minlength=len(counts))
            kept = np.flatnonzero(counts >= self.min_count)
            found.append((kept // self.n_items + start, kept % self.n_items, counts[kept]))
            self._found(len(kept), stop / self.n_items)
        first_items, second_items, pair_counts = (np.concatenate(column) for column in zip(*found, strict=True))
        return first_items, second_items, pair_counts

    def _following(self, places: IntArray) -> tuple[IntArray, IntArray]:
        """Give the places after each of these in its basket: which of these, and the place."""
        lengths = self.row_end[places] - places - 1
        which = np.repeat(np.arange(len(places)), lengths)
        return which, np.arange(len(which)) + np.repeat(places + 1 - (np.cumsum(lengths) - lengths), lengths)

    def _class(self, first_item: int, done: float) -> Iterator[tuple[IntArray, IntArray]]:
        """Find the sets of three and more whose rarest item is this one."""
        partners = self.is_pair.indices[self.is_pair.indptr[first_item] : self.is_pair.indptr[first_item + 1]]
        partners = np.sort(partners).astype(np.int64)
        place = self.place[self.item_starts[first_item] : self.item_starts[first_item + 1]]
        number, following = self._following(place)
        row = np.full(self.n_items, -1, dtype=np.int64)
        row[partners] = np.arange(len(partners))
        row_of = row[self.item[following]]
        number, row_of = number[row_of >= 0], row_of[row_of >= 0]
        # A basket with one partner holds no set of three.
        is_shared = np.bincount(number, minlength=len(place)) > 1
        number, row_of = (np.cumsum(is_shared) - 1)[number[is_shared[number]]], row_of[is_shared[number]]
        bits = _bit_strings(row_of, number, len(partners), int(is_shared.sum()))
        prefix = np.full((len(partners), 1), first_item)
        yield from self._extend(np.column_stack([prefix, partners]), bits, done)

    def _extend(self, sets: IntArray, bits: WordArray, done: float) -> Iterator[tuple[IntArray, IntArray]]:
        """Join sets that differ in their last item; go deeper before going on, so that little is held at a time."""
        n_sets, length = sets.shape
        is_last = np.append((sets[1:, :-1] != sets[:-1, :-1]).any(axis=1), True)
        group_ends = np.flatnonzero(is_last) + 1
        n_right = group_ends[np.searchsorted(group_ends, np.arange(n_sets), side="right")] - np.arange(n_sets) - 1
        before = np.concatenate([[0], np.cumsum(n_right)])
        step = max(1, _STEP_BYTES // (16 * bits.shape[1]))
        start = 0
        while start < n_sets:
            stop = max(start + 1, int(np.searchsorted(before, before[start] + step, side="right")) - 1)
            right = n_right[start:stop]
            left = np.repeat(np.arange(start, stop), right)
            other = left + 1 + np.arange(len(left)) - np.repeat(before[start:stop] - before[start], right)
            start = stop
            is_possible = self._is_pair(sets[left, -1], sets[other, -1])
            left, other = left[is_possible], other[is_possible]
            if not len(left):
                continue
            self.n_candidates[length] += len(left)
            both = bits[left] & bits[other]
            counts = _ones(both)
            kept = counts >= self.min_count
            if not kept.any():
                continue
            longer = np.column_stack([sets[left[kept]], sets[other[kept], -1]])
            self._found(len(longer), done)
            yield longer, counts[kept]
            if length + 1 < self.max_length:
                yield from self._extend(longer, both[kept], done)

    def _is_pair(self, first: IntArray, second: IntArray) -> BoolArray:
        keys = first * self.n_items + second
        at = np.searchsorted(self.pair_keys, keys)
        found: BoolArray = self.pair_keys[np.minimum(at, len(self.pair_keys) - 1)] == keys
        return found

    def _found(self, n_more: int, done: float) -> None:
        self.n_found += n_more
        if self.n_found > self.max_itemsets:
            estimate = f"about {self.n_found / done:,.0f}" if done > 0.02 else f"far more than {self.n_found:,}"
            raise SupportTooLowError(
                f"there are {estimate} frequent itemsets; max_itemsets allows {self.max_itemsets:,}. {self._advice()}"
            )

    def _advice(self) -> str:
        support = self.min_count / self.n_baskets
        return f"Raise min_support above {support:.2g} or lower max_length below {self.max_length}."


def _min_count(min_support: float, n_baskets: int) -> int:
    """Give the smallest count whose share of the baskets is at least the support, divided as mlxtend divides."""
    count = max(int(min_support * n_baskets) - 1, 1)
    while n_baskets and count / n_baskets < min_support:
        count += 1
    return count


def _in_order(found: list[tuple[IntArray, IntArray]], length: int) -> tuple[IntArray, IntArray]:
    items = np.sort(np.concatenate([np.zeros((0, length), dtype=np.int64), *(part for part, _ in found)]), axis=1)
    counts = np.concatenate([np.zeros(0, dtype=np.int64), *(part for _, part in found)])
    order = np.lexsort(items.T[::-1])
    return items[order], counts[order]


def _lengths(lists: pa.ListArray) -> IntArray:
    lengths: IntArray = np.diff(lists.offsets.to_numpy()).astype(np.int64)
    return lengths


def _bit_strings(row: IntArray, column: IntArray, n_rows: int, n_columns: int) -> WordArray:
    """Set one bit for each (row, column), which are distinct and sorted by column; shape (n_rows, n_columns / 64)."""
    n_words = max(1, -(-n_columns // 64))
    bits = np.zeros((n_rows, n_words), dtype=np.uint64)
    width = 64 * max(1, _STEP_BYTES // (64 * max(n_rows, 1)))
    for start in range(0, n_columns, width):
        first, last = np.searchsorted(column, [start, start + width])
        size = 64 * min(width // 64, n_words - start // 64)
        is_set = np.zeros((n_rows, size), dtype=np.bool_)
        is_set[row[first:last], column[first:last] - start] = True
        bits[:, start // 64 : (start + size) // 64] = np.packbits(is_set, axis=1).view(np.uint64)
    return bits


def _ones(bits: WordArray) -> IntArray:
    """Count the ones of each row."""
    n_ones: IntArray = np.bitwise_count(bits).sum(axis=1, dtype=np.int64)
    return n_ones
