"""What comes next: counts against brute force, planted sequences found, chance not taken for a rule."""

from collections import defaultdict
from itertools import product

import duckdb
import numpy as np
import pandas as pd
import pytest
from scipy.stats import hypergeom

from crm_mining.baskets.paths import Events, path_rules, read_events

Log = list[tuple[str, int, str, str]]  # entity, position, item, period


def _read(log: Log, roles: dict[str, tuple[bool, bool]] | None = None) -> Events:
    frame = pd.DataFrame(log, columns=["entity_id", "position", "item_id", "period"])
    both = [(roles or {}).get(item, (True, True)) for item in frame["item_id"]]
    frame["is_antecedent"], frame["is_consequent"] = [left for left, _ in both], [right for _, right in both]
    return read_events(duckdb.from_df(frame))


def _brute_force(
    log: Log, roles: dict[str, tuple[bool, bool]], max_gap: int, max_span: int, max_steps: int
) -> dict[tuple[tuple[str, ...], str], dict[str, float]]:
    """Count by trying every way of putting a path together."""
    entities = sorted({row[0] for row in log})
    period = {(entity, position): name for entity, position, _, name in log}
    of_entity = {entity: sorted({(at, item) for who, at, item, _ in log if who == entity}) for entity in entities}
    occasions: dict[tuple[str, ...], dict[tuple[str, int], int]] = defaultdict(dict)
    for entity, n_steps in product(entities, range(1, max_steps + 1)):
        for steps in product(of_entity[entity], repeat=n_steps):
            times = [at for at, _ in steps]
            gaps = np.diff(times)
            may = all(roles[item][0] for _, item in steps) and all(roles[item][1] for _, item in steps[1:])
            if may and (gaps > 0).all() and (gaps <= max_gap).all() and times[-1] - times[0] <= max_span:
                for path in (tuple(item for _, item in steps), ("*",) * n_steps):
                    began = occasions[path].get((entity, times[-1]), times[0])
                    occasions[path][entity, times[-1]] = max(began, times[0])
    items = sorted({item for _, _, item, _ in log if roles[item][1]})
    gaps_of: dict[tuple[tuple[str, ...], str, str], list[tuple[str, int]]] = defaultdict(list)
    for path, ends in occasions.items():
        for (entity, end), began in ends.items():
            for item in items:
                times = [
                    at for at, name in of_entity[entity]
                    if name == item and end < at <= min(end + max_gap, began + max_span)
                ]  # fmt: skip
                if times:
                    gaps_of[path, item, period[entity, end]].append((entity, min(times) - end))
    n_of = {
        (path, name): sum(period[key] == name for key in ends)
        for path, ends in occasions.items()
        for name in ("training", "holdout")
    }
    found = {}
    for path, item in product(occasions, items):
        followed = gaps_of[path, item, "training"]
        if followed and "*" not in path:
            base = ("*",) * len(path)
            n_base, n_base_followed = n_of[base, "training"], len(gaps_of[base, item, "training"])
            later, later_all = len(gaps_of[path, item, "holdout"]), n_of[path, "holdout"]
            found[path, item] = {
                "n_entities": len({entity for entity, _ in followed}),
                "n_occasions": n_of[path, "training"],
                "n_followed": len(followed),
                "n_base_occasions": n_base,
                "n_base_followed": n_base_followed,
                "support": len({entity for entity, _ in followed}) / len(entities),
                "confidence": len(followed) / n_of[path, "training"],
                "lift": len(followed) / n_of[path, "training"] / (n_base_followed / n_base),
                "median_gap": float(np.quantile([gap for _, gap in followed], 0.5)),
                "p90_gap": float(np.quantile([gap for _, gap in followed], 0.9)),
                "p_value": hypergeom.sf(len(followed) - 1, n_base, n_base_followed, n_of[path, "training"]),
                "holdout_n_occasions": later_all,
                "holdout_n_followed": later,
                "holdout_confidence": later / later_all if later_all else np.nan,
            }
    return found


def test_counts_equal_brute_force_on_200_random_logs() -> None:
    n_rules = 0
    for seed in range(200):
        draw = np.random.default_rng(seed)
        items = list("ABCD")[: draw.integers(1, 5)]
        # As in the warehouse: either by time, the same for all, or whole entities.
        bounds = np.sort(draw.integers(3, 15, 3))
        of_entity = dict(zip("uvwxy", draw.choice(["training", "holdout"], 5), strict=True))
        names = ["training", "neither", "holdout", "neither"]
        by_time = {at: names[np.searchsorted(bounds, at)] for at in range(-3, 12)}
        is_by_time = draw.random() < 0.7
        periods = {
            (entity, at): str(by_time[at] if is_by_time else of_entity[entity])
            for entity in "uvwxy"
            for at in range(-3, 12)
        }
        log = []
        for _ in range(draw.integers(0, 60)):
            entity, at = str(draw.choice(list("uvwxy"))), int(draw.integers(-3, 12))
            log.append((entity, at, str(draw.choice(items)), periods[entity, at]))
        roles = {item: (bool(draw.random() < 0.8), bool(draw.random() < 0.8)) for item in items}
        max_gap, max_span, max_steps = int(draw.integers(1, 6)), int(draw.integers(1, 12)), int(draw.integers(1, 4))
        events = _read(log, roles)
        rules = path_rules(
            events, max_gap=max_gap, max_span=max_span, max_steps=max_steps, min_entities=1, min_confidence=0
        )
        columns = rules.to_dict("list")
        expected = _brute_force(log, roles, max_gap, max_span, max_steps)
        keys = [
            (tuple(events.item_ids[item] for item in path), events.item_ids[following])
            for path, following in zip(rules["path"], rules["next"], strict=True)
        ]
        assert sorted(keys) == sorted(expected), seed
        for at, key in enumerate(keys):
            for name, value in expected[key].items():
                assert columns[name][at] == pytest.approx(value, rel=1e-12, nan_ok=True), (seed, key, name)
        n_rules += len(keys)
    assert n_rules > 1000
