"""Features as a table of terms, which SQL can compute as well as numpy.

Every number that a linear model multiplies is a *term*: a piecewise linear function of one feature, given by rows of
:data:`COLUMNS`. The value of a term for a customer is that of its one row that fits the feature's value ``x``, and 0
where none does:

======== ================================================ ==============================================
kind     fits when                                        value
======== ================================================ ==============================================
segment  ``lower <= x < upper``; a null bound is no bound ``(start + slope * (x - coalesce(lower, 0))) ** power``
level    ``x = level`` (text)                             1
other    ``x`` is text that no ``level`` row names        1
missing  ``x`` is null (so count numbers beyond 1e30)     1
======== ================================================ ==============================================

Families of terms: ``normal`` (a number's rank as a standard normal quantile, interpolated between at most 101 knots:
what a skewed number needs before a linear model sees it), ``square`` (its square), ``value`` (the number itself, its
extremes cut off, standardised), ``raw`` (the number as it is, for trees; it stays null where it is missing), ``bin``
(quantile bins), ``level`` and ``missing``.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import cached_property
from itertools import pairwise

import numpy as np
import pandas as pd
from scipy.stats import norm

from crm_mining.common.arrays import BoolArray, FloatArray, IntArray, TextArray

COLUMNS = {
    "term": "str", "feature": "str", "family": "str", "kind": "str", "level": "str", "lower": "float64",
    "upper": "float64", "start": "float64", "slope": "float64", "power": "float64",
}  # fmt: skip
N_KNOTS, N_BINS, MAX_LEVELS = 101, 8, 30
#: A level held by fewer than this share of the rows, or by fewer rows than this, is pooled with the other rare ones.
RARE_SHARE, RARE_ROWS = 0.005, 10
#: Normal quantiles are cut off here: the largest of a million values is not a thousand times as informative as the
#: next.
MAX_NORMAL = 3.0
#: Numbers beyond this, infinite ones among them, count as null: single precision ends soon after.
LARGEST = 1e30

LINEAR = ("normal", "missing", "level")
BINNED = ("bin", "missing", "level")
TREE = ("raw", "level")


@dataclass(frozen=True)
class Encoding:
    """Terms learned from training rows.

    Parameters
    ----------
    table : DataFrame
        Columns of :data:`COLUMNS`, in the order of the features.
    typical : dict
        Share of the training rows in which each 0/1 term is 1, or the mean of the others.
    """

    table: pd.DataFrame
    typical: Mapping[str, float]

    def terms(self, families: Sequence[str]) -> pd.DataFrame:
        """List the terms of some families: ``term, feature, family, kind`` (of the first row), one row per term."""
        key = tuple(families)
        if key not in self._of_families:
            chosen = self.table[self.table["family"].isin(key)]
            own = chosen[["term", "feature", "family", "kind"]].drop_duplicates("term", ignore_index=True)
            self._of_families[key] = own
        return self._of_families[key]

    def matrix(self, frame: pd.DataFrame, terms: Sequence[str]) -> FloatArray:
        """Compute terms, shape (n_rows, n_terms).

        Raises
        ------
        ValueError
            When the frame lacks a feature, or a term is unknown.
        """
        place = {term: i for i, term in enumerate(terms)}
        unknown = place.keys() - self._terms.keys()
        if unknown:
            raise ValueError(f"unknown terms {sorted(unknown)}")
        wanted: dict[str, list[str]] = {}
        for term in place:
            wanted.setdefault(self._terms[term].feature, []).append(term)
        lacking = [f for f in wanted if f not in frame.columns]
        if lacking:
            raise ValueError(f"the frame lacks the features {lacking}")
        found = np.zeros((len(frame), len(place)), order="F")
        for feature, own in wanted.items():
            if feature in self._known_levels:
                self._levels(frame[feature], feature, own, place, found)
            else:
                self._numbers(as_numbers(frame[feature]), own, place, found)
        return found

    def _numbers(self, x: FloatArray, terms: Sequence[str], place: Mapping[str, int], found: FloatArray) -> None:
        """Compute the terms of a number; those that interpolate between the same points share the interpolation."""
        is_missing = np.isnan(x)
        shared: dict[tuple[bytes, ...], tuple[FloatArray, BoolArray]] = {}
        for name in terms:
            term = self._terms[name]
            if term.kind == "missing":
                found[:, place[name]] = is_missing
                continue
            if term.points not in shared:
                shared[term.points] = term.line(x)
            value, inside = shared[term.points]
            value = value**term.power if term.power != 1 else value
            found[:, place[name]] = np.where(inside, value, np.nan if term.family == "raw" else 0.0)

    @cached_property
    def owners(self) -> pd.DataFrame:
        """List ``term, feature, family``, one row per term."""
        return self.table[["term", "feature", "family"]].drop_duplicates("term")

    @cached_property
    def _of_families(self) -> dict[tuple[str, ...], pd.DataFrame]:
        return {}

    @cached_property
    def _terms(self) -> dict[str, "_Term"]:
        """Split the table: term to its rows."""
        columns = {name: self.table[name].to_numpy() for name in COLUMNS}
        rows: dict[str, list[int]] = {}
        for i, term in enumerate(columns["term"]):
            rows.setdefault(str(term), []).append(i)
        return {
            term: _Term(
                str(columns["feature"][at[0]]), str(columns["family"][at[0]]), str(columns["kind"][at[0]]),
                columns["level"][at[0]], columns["lower"][at], columns["upper"][at], columns["start"][at],
                columns["slope"][at], float(columns["power"][at[0]]),
            )
            for term, at in rows.items()
        }  # fmt: skip

    @cached_property
    def _known_levels(self) -> dict[str, list[str]]:
        """List the features that are text, with their levels."""
        found: dict[str, list[str]] = {}
        for term in self._terms.values():
            if term.family == "level":
                found.setdefault(term.feature, []).extend([str(term.level)] if term.kind == "level" else [])
        return found

    def _levels(
        self, column: pd.Series, feature: str, terms: Sequence[str], place: Mapping[str, int], found: FloatArray
    ) -> None:
        index = pd.Index(np.array(self._known_levels[feature], dtype=object))
        text, is_missing = as_text(column)
        codes = index.get_indexer(pd.Index(text))
        for name in terms:
            term = self._terms[name]
            if term.kind == "missing":
                hit = is_missing
            elif term.kind == "other":
                hit = (codes < 0) & ~is_missing
            else:
                hit = (codes == index.get_loc(term.level)) & ~is_missing
            found[:, place[name]] = hit


@dataclass(frozen=True)
class _Term:
    """One term: its rows of the table as arrays."""

    feature: str
    family: str
    kind: str
    level: object
    lower: FloatArray
    upper: FloatArray
    start: FloatArray
    slope: FloatArray
    power: float

    @cached_property
    def points(self) -> tuple[bytes, ...]:
        """What the value depends on, but for the power."""
        return tuple(part.tobytes() for part in (self.lower, self.upper, self.start, self.slope))

    @cached_property
    def _bounds(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Lower and upper bounds, none as infinite, and from where the slope counts."""
        lower, upper = (np.where(np.isnan(v), end, v) for v, end in ((self.lower, -np.inf), (self.upper, np.inf)))
        return lower, upper, np.nan_to_num(self.lower)

    def line(self, x: FloatArray) -> tuple[FloatArray, BoolArray]:
        """Value before the power, and which numbers a row fits, shape (n,) both; null is NaN and fits none."""
        lower, upper, origin = self._bounds
        if len(lower) == 1:
            inside = (x >= lower) & (x < upper)
            return self.start + self.slope * (x - origin), inside
        # NaN sorts last, into a segment whose upper bound it is not below.
        segment = np.searchsorted(lower, x, side="right") - 1
        inside = (segment >= 0) & (x < upper[segment])
        return self.start[segment] + self.slope[segment] * (x - origin[segment]), inside


@dataclass(frozen=True)
class FixedEncoding(Encoding):
    """Encoding that has computed all terms of one frame, for the many models that look at it.

    Parameters
    ----------
    frame : DataFrame
        The frame; of any other the terms are computed as usual.
    values : FloatArray
        Shape (n_rows, n_terms).
    place : dict
        Term to column of ``values``.
    """

    frame: pd.DataFrame
    values: FloatArray
    place: Mapping[str, int]

    def matrix(self, frame: pd.DataFrame, terms: Sequence[str]) -> FloatArray:
        """Look the terms up, shape (n_rows, n_terms)."""
        if frame is not self.frame or not self.place.keys() >= set(terms):
            return super().matrix(frame, terms)
        return np.asfortranarray(self.values[:, [self.place[term] for term in terms]])


def fix(encoded: Encoding, frame: pd.DataFrame) -> FixedEncoding:
    """Compute all terms of a frame once."""
    names = list(encoded._terms)
    values = Encoding.matrix(encoded, frame, names)
    return FixedEncoding(encoded.table, encoded.typical, frame, values, {name: i for i, name in enumerate(names)})


def learn(frame: pd.DataFrame, features: Sequence[str]) -> FixedEncoding:
    """Learn the terms of each feature, and compute those of the training rows.

    Parameters
    ----------
    frame : DataFrame
        Training rows. Numbers and booleans are numeric features, everything else is text.
    features : sequence of str
        Columns to encode. A column of one value, or of none, gives no terms.

    Returns
    -------
    FixedEncoding

    Raises
    ------
    ValueError
        When a feature is missing from the frame, is a date, or its name makes a term read like another feature's.
    """
    lacking = [f for f in features if f not in frame.columns]
    if lacking:
        raise ValueError(f"the frame lacks the features {lacking}")
    rows: list[tuple[object, ...]] = []
    for feature in features:
        column = frame[feature]
        if pd.api.types.is_datetime64_any_dtype(column.dtype):
            raise ValueError(f"feature {feature} is a date: give its distance from the as-of date in days instead")
        rows += _learn_numbers(feature, as_numbers(column)) if is_numeric(column) else _learn_levels(feature, column)
    table = pd.DataFrame(rows, columns=list(COLUMNS)).astype(COLUMNS)
    if (table.groupby("term")["feature"].nunique() > 1).any():
        raise ValueError("two features give terms of one name; rename one of them")
    fixed = fix(Encoding(table, {}), frame)
    terms = fixed.terms(("normal", "square", "value", *BINNED))["term"].tolist()
    typical = {term: float(fixed.values[:, fixed.place[term]].mean()) if len(frame) else 0.0 for term in terms}
    return replace(fixed, typical=typical)


def is_numeric(column: pd.Series) -> bool:
    """Tell numbers and booleans from text; decimals are numbers."""
    if pd.api.types.is_numeric_dtype(column.dtype) or pd.api.types.is_bool_dtype(column.dtype):
        return True
    known = column.dropna()
    return column.dtype == object and len(known) > 0 and isinstance(known.iloc[0], Decimal | bool | int | float)


def as_numbers(column: pd.Series) -> FloatArray:
    """Convert to floats, null, infinite and absurdly large numbers as NaN."""
    if not is_numeric(column):
        column = pd.to_numeric(column, errors="coerce")
    is_plain = isinstance(column.dtype, np.dtype) and column.dtype != object
    known = column if is_plain else column.astype("Float64")
    values = known.to_numpy(dtype="float64") if is_plain else known.to_numpy(dtype="float64", na_value=np.nan)
    return np.where(np.abs(values) <= LARGEST, values, np.nan)


def as_text(column: pd.Series) -> tuple[TextArray, BoolArray]:
    """Convert to text, and say where nothing is known."""
    is_missing = column.isna().to_numpy(dtype=bool)
    categories = column.astype("category").cat
    names = np.array([*(str(c) for c in categories.categories), ""], dtype=object)
    return names[categories.codes.to_numpy()], is_missing


def bin_text(feature: str, lower: float, upper: float) -> str:
    """Say in words which values a bin holds; a bound that is NaN is none."""
    if np.isnan(lower):
        return f"{feature} below {upper:.10g}"
    return (
        f"{feature} {lower:.10g} or more" if np.isnan(upper) else f"{feature} from {lower:.10g} to below {upper:.10g}"
    )


def _learn_numbers(feature: str, x: FloatArray) -> list[tuple[object, ...]]:
    known = np.sort(x[~np.isnan(x)])
    rows: list[tuple[object, ...]] = []
    # Of one value as far as sums go: nothing to learn.
    if len(known) and np.ptp(known) > max(1e-12 * np.abs(known).max(), 1e-30):
        grid = known[np.unique(np.linspace(0, len(known) - 1, 2 * N_KNOTS - 1).round().astype(int))]
        points, mass = np.unique(grid, return_counts=True)
        knots = (
            points if len(points) <= N_KNOTS else points[np.unique(np.linspace(0, len(points) - 1, N_KNOTS, dtype=int))]
        )
        knots = knots[np.r_[True, np.diff(knots) > 1e-12 * np.ptp(known)]]
        middle = (np.searchsorted(known, knots, "left") + np.searchsorted(known, knots, "right")) / 2 / len(known)
        normal = np.clip(norm.ppf(middle), -MAX_NORMAL, MAX_NORMAL)
        at = np.interp(known, knots, normal)
        normal = (normal - at.mean()) / at.std()
        rows += _segments(feature, feature, "normal", knots, normal, 1.0)
        rows += _segments(f"{feature} squared", feature, "square", knots, normal, 2.0)
        ends = np.quantile(known, [0.005, 0.995])
        ends = ends if ends[0] < ends[1] else known[[0, -1]]
        cut = np.clip(known, *ends)
        rows += _segments(f"{feature} in its units", feature, "value", ends, (ends - cut.mean()) / cut.std(), 1.0)
        rows.append((f"{feature} as it is", feature, "raw", "segment", None, None, None, 0.0, 1.0, 1.0))
        edges = _bin_edges(points, mass, is_whole=bool((known == np.round(known)).all()))
        bounds = [np.nan, *edges, np.nan]
        rows += [
            (bin_text(feature, low, high), feature, "bin", "segment", None, low, high, 1.0, 0.0, 1.0)
            for low, high in pairwise(bounds)
            if len(edges)
        ]
    if 0 < len(known) < len(x):
        rows.append((f"{feature} is missing", feature, "missing", "missing", None, None, None, 1.0, 0.0, 1.0))
    return rows


def _segments(
    term: str, feature: str, family: str, x: FloatArray, y: FloatArray, power: float
) -> list[tuple[object, ...]]:
    """Interpolate between the points (x, y) and stay level outside."""
    slopes = np.append(np.diff(y) / np.diff(x), 0.0)
    uppers = np.append(x[1:], np.nan)
    rows: list[tuple[object, ...]] = [
        (term, feature, family, "segment", None, None, float(x[0]), float(y[0]), 0.0, power)
    ]
    return rows + [
        (term, feature, family, "segment", None, float(low), float(high), float(start), float(slope), power)
        for low, high, start, slope in zip(x, uppers, y, slopes, strict=True)
    ]


def _bin_edges(points: FloatArray, mass: IntArray, *, is_whole: bool) -> list[float]:
    """Cut into bins of about equal size, giving a value that is a bin's worth of rows by itself one of its own."""
    size = mass.sum() / N_BINS
    edges: list[float] = []
    held = 0.0
    for i in range(1, len(points)):
        held += mass[i - 1]
        if held >= size or mass[i] >= size:
            edge = float(points[i] if is_whole or len(points) <= N_BINS else np.format_float_positional(
                points[i], precision=4, fractional=False))  # fmt: skip
            if points[0] < edge <= points[-1] and edge not in edges:
                edges.append(edge)
            held = 0.0
    return sorted(edges)


def _learn_levels(feature: str, column: pd.Series) -> list[tuple[object, ...]]:
    text, is_missing = as_text(column)
    counts = pd.Series(text[~is_missing]).value_counts()
    enough = max(RARE_ROWS, RARE_SHARE * len(column))
    ranked = sorted(counts.items(), key=lambda item: (-item[1], str(item[0])))
    kept = [str(level) for level, n in ranked if n >= enough][:MAX_LEVELS]
    n_pooled = int((~is_missing).sum() - counts.reindex(kept).sum()) if len(counts) else 0
    kinds: list[tuple[str, str, str | None]] = [(f"{feature} is {level}", "level", level) for level in kept]
    kinds += [(f"{feature} is (another)", "other", None)] if n_pooled else []
    kinds += [(f"{feature} is (missing)", "missing", None)] if 0 < is_missing.sum() < len(column) else []
    if len(kinds) < 2:
        return []
    return [(term, feature, "level", kind, level, None, None, 1.0, 0.0, 1.0) for term, kind, level in kinds]
