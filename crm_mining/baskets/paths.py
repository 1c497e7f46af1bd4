"""What comes next: rules that lead from a path of one to three steps to something within a time, counted exactly.

A sequence rule as in Agrawal & Srikant 1995 (*Mining sequential patterns*, ICDE) with the time limits of Srikant &
Agrawal 1996 (*Generalizations and performance improvements*, EDBT), but with confidence by occasion, so that it is the
chance that a person who acts on the rule has:

- An *occasion* of a path is an entity (customer, visit) and a position (day, number of the event) at which the path is
  complete: each step came after the one before it, by ``max_gap`` at most, and all of them within ``max_span``. Where a
  path came about in several ways, the one that began last counts.
- The occasion is *followed* by an item when the entity has it later, at most ``max_gap`` after the last step and
  ``max_span`` after the first.
- *Confidence* is the share of a path's occasions that are followed; *base rate* that of the occasions of any path of as
  many steps. Their ratio is the lift, and Fisher's exact test compares the two. So who buys often makes no rule:
  whoever is there to buy again is there in the base rate too.
- *Support* is the share of entities with an occasion that is followed.

Occasions are counted in two periods, training and held out. An occasion belongs to neither when the time after it is
not observed in full; a rule is chosen by the training period alone.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa

from crm_mining.baskets.rules import ALPHA, independence_p, q_values
from crm_mining.common.arrays import BoolArray, FloatArray, IntArray
from crm_mining.common.progress import Progress

#: Occasions of the two periods are counted; those of a third only lead on.
TRAINING, HOLDOUT, NEITHER = 0, 1, 2
#: Followers looked at in one step, at about 100 bytes each.
_STEP_ROWS = 1_000_000

_COUNTS = ["n_entities", "n_occasions", "n_followed", "n_base_occasions", "n_base_followed"]
_MEASURES = ["support", "confidence", "base_rate", "lift", "median_gap", "p90_gap", "p_value", "q_value"]
_HOLDOUT = ["holdout_n_occasions", "holdout_n_followed"]
_HOLDOUT_MEASURES = ["holdout_confidence", "holdout_lift", "holdout_p_value"]
STEPS = ("step_1", "step_2", "step_3")
MAX_STEPS = len(STEPS)

PATH_SCHEMA = pa.schema(
    [("path_set", pa.string()), ("n_steps", pa.int64())]
    + [(name, pa.string()) for name in [*STEPS, "next_item"]]
    + [(name, pa.int64()) for name in _COUNTS]
    + [(name, pa.float64()) for name in _MEASURES]
    + [("is_redundant", pa.bool_())]
    + [(name, pa.int64()) for name in _HOLDOUT]
    + [(name, pa.float64()) for name in _HOLDOUT_MEASURES]
    + [("is_confirmed", pa.bool_())]
)

_NUMBERED = """
select
    dense_rank() over (order by entity_id) - 1 as entity,
    dense_rank() over (order by item_id) - 1 as item,
    position::bigint as position,
    is_antecedent,
    is_consequent,
    case period when 'training' then 0 when 'holdout' then 1 else 2 end as period
from events
"""


@dataclass(frozen=True)
class Events:
    """Events by number, sorted by entity, position and item, each once.

    Parameters
    ----------
    item_ids : list of str
        The key of each item.
    entity, item, position, period : array of shape (n_events,)
        Who, what, when, and :data:`TRAINING`, :data:`HOLDOUT` or :data:`NEITHER`.
    is_antecedent, is_consequent : array of shape (n_events,)
        Whether the event may be a step of a path, and whether it may follow one.
    """

    item_ids: list[str]
    entity: IntArray
    item: IntArray
    position: IntArray
    period: IntArray
    is_antecedent: BoolArray
    is_consequent: BoolArray


@dataclass(frozen=True)
class _Occasions:
    """Occasions of several paths, sorted by path, entity and end, each once."""

    path: IntArray
    entity: IntArray
    end: IntArray
    start: IntArray
    period: IntArray


def read_events(events: duckdb.DuckDBPyRelation) -> Events:
    """Give numbers to the entities and items of a table.

    Parameters
    ----------
    events : relation
        ``entity_id, item_id`` (text), ``position`` (whole number), ``is_antecedent``, ``is_consequent``, ``period``:
        ``training``, ``holdout`` or anything else, the same for all events of an entity and position; of an entity the
        events in training come first. Rows without entity, item or position don't count.

    Returns
    -------
    Events
    """
    names = "entity_id, item_id, position, is_antecedent, is_consequent, period"
    known = events.project(names).filter("entity_id is not null and item_id is not null and position is not null")
    item_ids = [str(key) for (key,) in known.project("item_id").distinct().order("item_id").fetchall()]
    columns = {name: np.asarray(column) for name, column in known.query("events", _NUMBERED).fetchnumpy().items()}
    order = np.lexsort((columns["item"], columns["position"], columns["entity"]))
    entity, item, position, period = (
        columns[name].astype(np.int64)[order] for name in ("entity", "item", "position", "period")
    )
    left, right = (columns[name].astype(np.bool_)[order] for name in ("is_antecedent", "is_consequent"))
    is_new = _is_new(entity, position, item)
    # The same thing twice at one time is one event, which may be whatever either may be.
    first = np.flatnonzero(is_new)
    if len(first):
        left, right = (np.maximum.reduceat(flags, first) for flags in (left, right))
    return Events(item_ids, entity[first], item[first], position[first], period[first], left, right)


def path_rules(
    events: Events, *, max_gap: int, max_span: int, max_steps: int, min_entities: int, min_confidence: float
) -> pd.DataFrame:
    """Find what follows paths of up to ``max_steps`` steps.

    Parameters
    ----------
    events : Events
        As :func:`read_events` numbers them.
    max_gap, max_span : int
        Between neighbouring steps, and from the first step to what follows; in the unit of the positions, 1 or more.
    max_steps : int
        Steps of the longest paths, 1 to 3.
    min_entities : int
        Entities with an occasion in the training period that is followed, 1 or more; a longer path is looked at only
        where its parts reach this.
    min_confidence : float
        Share of the occasions that are followed, 0 to 1.

    Returns
    -------
    DataFrame
        One row per rule: ``path`` (tuple of positions in ``item_ids``), ``next`` and the columns of
        :data:`PATH_SCHEMA` from ``n_entities`` on. ``median_gap`` and ``p90_gap`` are of the first time that the item
        follows, in the unit of the positions. ``q_value`` is over all rules looked at; ``is_redundant`` says that
        what came before the last steps adds nothing to what the last steps say. Ordered by path and next.

    Raises
    ------
    ValueError
        When a parameter is outside its range; the message names it.
    """
    limits = {"max_gap": max_gap, "max_span": max_span, "min_entities": min_entities}
    for name, value in limits.items():
        if value < 1:
            raise ValueError(f"{name} is {value!r}; allowed: 1 or more")
    if not 1 <= max_steps <= MAX_STEPS:
        raise ValueError(f"max_steps is {max_steps!r}; allowed: 1 to {MAX_STEPS}")
    if not 0 <= min_confidence <= 1:
        raise ValueError(f"min_confidence is {min_confidence!r}; allowed: 0 to 1")
    n_items, n_tests = len(events.item_ids), 0.0
    n_entities = len(np.unique(events.entity))
    n_next = len(np.unique(events.item[events.is_consequent]))
    paths: list[tuple[int, ...]] = [(item,) for item in range(n_items)]
    occasions, base = _first_steps(events, events.item), _first_steps(events, np.zeros_like(events.item))
    counted: list[pd.DataFrame] = []
    for n_steps in range(1, max_steps + 1):
        if not len(occasions.path):
            break
        follow = _Followers(events, max_gap, max_span)
        n_base = np.bincount(base.period, minlength=3)
        base_followed = follow.count(base).set_index("next").reindex(range(n_items), fill_value=0)
        n_of_path = np.zeros((len(paths), 3), dtype=np.int64)
        np.add.at(n_of_path, (occasions.path, occasions.period), 1)
        n_tests += float((n_of_path[:, TRAINING] > 0).sum()) * n_next
        progress = Progress(f"occasions of paths of length {n_steps} looked at", len(occasions.path))
        found, further = [], []
        for (part, longer), done in follow.chunks(occasions, min_entities, lead_on=n_steps < max_steps):
            found.append(part[part["n_entities"] >= min_entities])
            further.append(longer)
            progress.update(done)
        rules = pd.concat(found or [_no_counts()], ignore_index=True)
        next_item = rules["next"].to_numpy()
        for period, start in ((TRAINING, ""), (HOLDOUT, "holdout_")):
            rules[f"{start}n_occasions"] = n_of_path[rules["path"].to_numpy(), period]
            rules[f"{start}n_base_occasions"] = int(n_base[period])
            rules[f"{start}n_base_followed"] = base_followed[f"{start}n_followed"].to_numpy()[next_item]
        rules["path"] = pd.Series([paths[path] for path in rules["path"]], dtype="object", index=rules.index)
        counted.append(rules)
        base = follow.any_longer(base)
        occasions, paths = _longer(further, paths, n_items)
    rules = pd.concat(counted, ignore_index=True) if counted else _no_rules()
    return _measured(rules, n_entities, min_confidence, n_tests)


def paths_from_tables(events: duckdb.DuckDBPyRelation, path_sets: duckdb.DuckDBPyRelation) -> pa.Table:
    """Find the rules of each path set.

    Parameters
    ----------
    events : relation
        ``path_set`` and the columns of :func:`read_events`.
    path_sets : relation
        ``path_set, max_gap, max_span, max_steps, min_entities, min_confidence``.

    Returns
    -------
    Table
        One row per path set and rule, as :data:`PATH_SCHEMA` says.
    """
    tables = [PATH_SCHEMA.empty_table()]
    names = path_sets.columns
    for row in path_sets.order("path_set").fetchall():
        options: dict[str, Any] = dict(zip(names, row, strict=True))
        of_set = duckdb.ColumnExpression("path_set") == duckdb.ConstantExpression(options["path_set"])
        numbered = read_events(events.filter(of_set))
        rules = path_rules(
            numbered,
            **{name: options[name] for name in ("max_gap", "max_span", "max_steps", "min_entities", "min_confidence")},
        )
        ids = [[numbered.item_ids[item] for item in path] for path in rules["path"]]
        columns = rules.assign(
            path_set=options["path_set"],
            n_steps=[len(path) for path in ids],
            next_item=[numbered.item_ids[item] for item in rules["next"]],
        )
        for at, step in enumerate(STEPS):
            columns[step] = pd.Series([path[at] if at < len(path) else None for path in ids], dtype="str")
        tables.append(pa.Table.from_pandas(columns[PATH_SCHEMA.names], schema=PATH_SCHEMA, preserve_index=False))
    return pa.concat_tables(tables)


class _Followers:
    """The events that follow occasions in time."""

    def __init__(self, events: Events, max_gap: int, max_span: int) -> None:
        self.events, self.max_gap, self.max_span = events, max_gap, max_span
        self.n_items = len(events.item_ids)
        # One number for entity and position, far enough apart for no window to reach the next entity.
        self.low = int(events.position.min()) if len(events.position) else 0
        spread = int(events.position.max()) - self.low if len(events.position) else 0
        self.stride = spread + max_span + max_gap + 2
        self.key = events.entity * self.stride + (events.position - self.low)

    def chunks(
        self, occasions: _Occasions, min_entities: int, *, lead_on: bool
    ) -> Iterator[tuple[tuple[pd.DataFrame, tuple[IntArray, _Occasions]], int]]:
        """Count what follows each path, whole paths at a time; give the longer paths too, and how far this is."""
        path_starts = np.flatnonzero(np.append(True, occasions.path[1:] != occasions.path[:-1]))
        path_ends = np.append(path_starts[1:], len(occasions.path))
        first, last = self._ranges(occasions)
        total = np.append(0, np.cumsum(last - first))
        at = 0
        while at < len(path_starts):
            start = int(path_starts[at])
            at = max(at + 1, int(np.searchsorted(total[path_ends], total[start] + _STEP_ROWS, side="right")))
            stop = int(path_ends[at - 1])
            part = _part(occasions, start, stop)
            which, event = _ragged(first[start:stop], last[start:stop])
            counts = self._count(part, which, event)
            longer = (np.zeros(0, dtype=np.int64), _no_occasions())
            if lead_on:
                longer = self._lead_on(part, which, event, counts[counts["n_entities"] >= min_entities])
            yield (counts, longer), stop

    def count(self, occasions: _Occasions) -> pd.DataFrame:
        """Count how many occasions of one path each item follows, in steps that are then added."""
        first, last = self._ranges(occasions)
        total = np.append(0, np.cumsum(last - first))
        start, parts = 0, [_no_counts()]
        while start < len(occasions.path):
            stop = max(start + 1, int(np.searchsorted(total, total[start] + _STEP_ROWS, side="right")) - 1)
            parts.append(self._count(_part(occasions, start, stop), *_ragged(first[start:stop], last[start:stop])))
            start = stop
        return pd.concat(parts).groupby("next", as_index=False)[["n_followed", "holdout_n_followed"]].sum()

    def any_longer(self, occasions: _Occasions) -> _Occasions:
        """Give the occasions of any path with one step more: at each event the path before it that began last."""
        first, last = self._ranges(occasions)
        start = np.full(len(self.key), -1, dtype=np.int64)
        for begin in range(0, len(first), _STEP_ROWS):
            which, event = _ragged(first[begin : begin + _STEP_ROWS], last[begin : begin + _STEP_ROWS])
            np.maximum.at(start, event, occasions.start[begin + which] - self.low)
        kept = np.flatnonzero((start >= 0) & self.events.is_antecedent & self.events.is_consequent)
        kept = kept[_is_new(self.key[kept])] if len(kept) else kept
        return _Occasions(
            np.zeros(len(kept), dtype=np.int64), self.events.entity[kept], self.events.position[kept],
            start[kept] + self.low, self.events.period[kept],
        )  # fmt: skip

    def _ranges(self, occasions: _Occasions) -> tuple[IntArray, IntArray]:
        origin = occasions.entity * self.stride - self.low
        until = np.minimum(occasions.end + self.max_gap, occasions.start + self.max_span)
        first = np.searchsorted(self.key, origin + occasions.end, side="right")
        return first, np.maximum(np.searchsorted(self.key, origin + until, side="right"), first)

    def _count(self, occasions: _Occasions, which: IntArray, event: IntArray) -> pd.DataFrame:
        may_follow = self.events.is_consequent[event] & (occasions.period[which] != NEITHER)
        which, event = which[may_follow], event[may_follow]
        # The first time that an item follows; events are in order of time.
        order = np.lexsort((event, self.events.item[event], which))
        which, event = which[order], event[order]
        kept = _is_new(which, self.events.item[event])
        which, event = which[kept], event[kept]
        rule = occasions.path[which] * self.n_items + self.events.item[event]
        gap = self.events.position[event] - occasions.end[which]
        is_training = occasions.period[which] == TRAINING
        rules, number = np.unique(rule, return_inverse=True)
        n_training = np.bincount(number[is_training], minlength=len(rules))
        by_entity = np.lexsort((occasions.entity[which], number))
        by_entity = by_entity[is_training[by_entity]]
        is_other = _is_new(number[by_entity], occasions.entity[which][by_entity])
        by_gap = np.lexsort((gap, number))
        by_gap = by_gap[is_training[by_gap]]
        return pd.DataFrame(
            {
                "path": rules // self.n_items, "next": rules % self.n_items,
                "n_entities": np.bincount(number[by_entity][is_other], minlength=len(rules)), "n_followed": n_training,
                "holdout_n_followed": np.bincount(number[~is_training], minlength=len(rules)),
                "median_gap": _quantile(gap[by_gap], n_training, 0.5),
                "p90_gap": _quantile(gap[by_gap], n_training, 0.9),
            }
        )  # fmt: skip

    def _lead_on(
        self, occasions: _Occasions, which: IntArray, event: IntArray, frequent: pd.DataFrame
    ) -> tuple[IntArray, _Occasions]:
        """Give the occasions of frequent paths made longer by what followed; the path is its number in ``rule``."""
        rule = occasions.path[which] * self.n_items + self.events.item[event]
        wanted = np.sort(frequent["path"].to_numpy() * self.n_items + frequent["next"].to_numpy())
        if not len(wanted):
            return wanted, _no_occasions()
        at = np.minimum(np.searchsorted(wanted, rule), len(wanted) - 1)
        kept = (wanted[at] == rule) & self.events.is_antecedent[event] & self.events.is_consequent[event]
        which, event, at = which[kept], event[kept], at[kept]
        order = np.lexsort((-occasions.start[which], event, at))
        which, event, at = which[order], event[order], at[order]
        first = _is_new(at, event)
        which, event, at = which[first], event[first], at[first]
        return wanted, _Occasions(
            at,
            self.events.entity[event],
            self.events.position[event],
            occasions.start[which],
            self.events.period[event],
        )


def _first_steps(events: Events, path: IntArray) -> _Occasions:
    order = np.lexsort((events.position, events.entity, path))
    order = order[events.is_antecedent[order]]
    order = order[_is_new(path[order], events.entity[order], events.position[order])]
    position = events.position[order]
    return _Occasions(path[order], events.entity[order], position, position, events.period[order])


def _part(occasions: _Occasions, start: int, stop: int) -> _Occasions:
    return _Occasions(*(getattr(occasions, name)[start:stop] for name in _Occasions.__dataclass_fields__))


def _longer(
    further: list[tuple[IntArray, _Occasions]], paths: list[tuple[int, ...]], n_items: int
) -> tuple[_Occasions, list[tuple[int, ...]]]:
    """Give the paths of all chunks new numbers."""
    numbers = np.cumsum([0, *(len(rules) for rules, _ in further)])
    longer = [(*paths[rule // n_items], rule % n_items) for rules, _ in further for rule in rules.tolist()]
    parts = [
        _Occasions(part.path + number, part.entity, part.end, part.start, part.period)
        for number, (_, part) in zip(numbers, further, strict=False)
    ] or [_no_occasions()]
    return _Occasions(
        *(np.concatenate([getattr(part, name) for part in parts]) for name in _Occasions.__dataclass_fields__)
    ), longer


def _measured(rules: pd.DataFrame, n_entities: int, min_confidence: float, n_tests: float) -> pd.DataFrame:
    """Add measures and tests, and keep the rules that are sure enough."""
    number = {name: rules[name].to_numpy(dtype="float64") for name in rules.columns if name not in ("path", "next")}
    rules = rules.assign(support=number["n_entities"] / max(n_entities, 1))
    for start in ("", "holdout_"):
        followed, occasions, base_followed, n_all = (
            rules[f"{start}{name}"].to_numpy(dtype="int64")
            for name in ("n_followed", "n_occasions", "n_base_followed", "n_base_occasions")
        )
        with np.errstate(divide="ignore", invalid="ignore"):
            confidence = np.where(occasions > 0, followed / occasions, np.nan)
            base_rate = np.where(n_all > 0, base_followed / n_all, np.nan)
            lift = np.where(base_rate > 0, confidence / base_rate, np.nan)
        p = np.where(occasions > 0, independence_p(followed, occasions, base_followed, n_all), np.nan)
        rules[f"{start}confidence"], rules[f"{start}lift"], rules[f"{start}p_value"] = confidence, lift, p
        if not start:
            rules["base_rate"] = base_rate
    rules["is_redundant"] = _explained(rules)
    rules["is_confirmed"] = pd.array((rules["holdout_p_value"] < ALPHA).to_numpy(), dtype="boolean")
    rules["is_confirmed"] = rules["is_confirmed"].mask(number["holdout_n_occasions"] == 0)
    # By counts, so that no rule at the very threshold is lost to rounding.
    kept = number["n_followed"] >= min_confidence * number["n_occasions"] - 1e-9
    rules = rules[kept].sort_values(["path", "next"], ignore_index=True)
    rules["q_value"] = q_values(rules["p_value"].to_numpy(), n_tests)
    return rules[["path", "next", *PATH_SCHEMA.names[PATH_SCHEMA.get_field_index("n_entities") :]]]


def _explained(rules: pd.DataFrame) -> BoolArray:
    """Say where the path without its first step does as well, by Fisher's exact test among that path's occasions."""
    counts = {
        (path, following): (n_followed, n_occasions)
        for path, following, n_followed, n_occasions in zip(
            rules["path"], rules["next"], rules["n_followed"], rules["n_occasions"], strict=True
        )
    }
    explained = rules["p_value"].to_numpy(dtype="float64") >= ALPHA
    rows = [
        (at, counts[path, following], counts[path[1:], following])
        for at, (path, following) in enumerate(zip(rules["path"], rules["next"], strict=True))
        if len(path) > 1
    ]
    if rows:
        at = np.array([row[0] for row in rows])
        long_followed, long_all = np.array([row[1] for row in rows], dtype=np.int64).T
        short_followed, short_all = np.array([row[2] for row in rows], dtype=np.int64).T
        explained[at] |= independence_p(long_followed, long_all, short_followed, short_all) >= ALPHA
    return explained


def _ragged(first: IntArray, last: IntArray) -> tuple[IntArray, IntArray]:
    """Write out ranges: the number of the range and each member of it."""
    lengths = last - first
    which = np.repeat(np.arange(len(first)), lengths)
    return which, np.arange(len(which)) - np.repeat(np.cumsum(lengths) - lengths - first, lengths)


def _is_new(*columns: IntArray) -> BoolArray:
    """Say where a sorted row differs from the one before it."""
    differs = np.ones(len(columns[0]), dtype=np.bool_)
    if len(differs):
        differs[1:] = np.logical_or.reduce([column[1:] != column[:-1] for column in columns])
    return differs


def _quantile(values: IntArray, sizes: IntArray, share: float) -> FloatArray:
    """Give a quantile of each group of sorted values, between neighbours in proportion; NaN of none."""
    starts = np.cumsum(sizes) - sizes
    at = (sizes - 1) * share
    low = np.floor(at).astype(np.int64)
    padded = np.append(values, [0, 0]).astype("float64")
    lower = padded[np.minimum(starts + np.maximum(low, 0), len(padded) - 1)]
    upper = padded[np.minimum(starts + np.minimum(np.maximum(low, 0) + 1, np.maximum(sizes - 1, 0)), len(padded) - 1)]
    return np.where(sizes > 0, lower + (upper - lower) * (at - low), np.nan)


def _no_occasions() -> _Occasions:
    return _Occasions(*(np.zeros(0, dtype=np.int64) for _ in _Occasions.__dataclass_fields__))


def _no_counts() -> pd.DataFrame:
    whole = ["path", "next", "n_entities", "n_followed", "holdout_n_followed"]
    kinds = dict.fromkeys(whole, "int64") | {"median_gap": "float64", "p90_gap": "float64"}
    return pd.DataFrame({name: pd.Series(dtype=kind) for name, kind in kinds.items()})


def _no_rules() -> pd.DataFrame:
    more = ["n_occasions", "n_base_occasions", "n_base_followed"]
    names = [f"{start}{name}" for start in ("", "holdout_") for name in more]
    return _no_counts().assign(**{name: pd.Series(dtype="int64") for name in names})
