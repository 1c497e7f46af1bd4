"""From the forecasts of several models to the one that ships: weighed, compared with the naive one, and added up.

All of it, intervals too, learns from back-tests alone: at two or more earlier cut-offs the same models forecast what is
by now known. A model's weight falls with the fourth power of its error there. Where a figure is to say how good the
result is, it must not have been learned from itself: at each cut-off the blend, the covariance of its errors and the
width of its intervals come from the *other* cut-offs. What ships is never worse there than repeating the last season.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from crm_mining.common.arrays import BoolArray, FloatArray
from crm_mining.forecasting.candidates import KINDS, METHODS, NAIVE, RULE_OF_THUMB
from crm_mining.forecasting.reconcile import BOTTOM_UP, MINT, bottom_up, constraints, project, shrunk_covariance

ALL_METHODS = (*METHODS, RULE_OF_THUMB)
_NAIVE, _THUMB = ALL_METHODS.index(NAIVE), ALL_METHODS.index(RULE_OF_THUMB)
#: One row per method, 1 for the methods of its kind.
_SAME_KIND = np.array(
    [[any({one, other} <= {*kind} for kind in KINDS) for other in ALL_METHODS] for one in ALL_METHODS]
)
NONE = "none"
LEVELS = (0.80, 0.95)
_NORMAL = (1.2815515655446004, 1.959963984540054)
#: How far a series' own errors are shrunk towards what they are for all series: a few cut-offs say little. Chosen on
#: the training part of the tourism set (0, 1/2, 3/4, 1 tried, at two dates: all within 0.5 % of one another).
SHRINKAGE = 0.75
#: Shares of the blend that are tried beside the naive forecast, the largest that is no worse than it being taken.
_SHARES = np.linspace(0.0, 1.0, 21)
#: Back-tests that an own scale of errors counts against one of all series together.
_PRIOR_TESTS = 1.0
#: Back-tests (series times cut-offs) against which the normal distribution's quantiles count as that many.
_PRIOR_QUANTILES = 10.0


@dataclass
class Panel:
    """Back-tests and forecasts of many series, side by side; NaN where there is nothing.

    Parameters
    ----------
    actual : array of shape (series, cut-offs, horizon)
        What came after each cut-off.
    tested : array of shape (series, cut-offs, methods, horizon)
        What each method, in the order of :data:`ALL_METHODS`, had forecast.
    ahead : array of shape (series, methods, horizon)
        Forecasts of what is not known yet.
    scale : array of shape (series,)
        Mean absolute error of the seasonal naive forecast within the history, the unit of MASE; above 0.
    is_modelled : array of shape (series,)
        False where a rule of thumb forecasts.
    is_positive : array of shape (series,)
        The history is never below 0.
    """

    actual: FloatArray
    tested: FloatArray
    ahead: FloatArray
    scale: FloatArray
    is_modelled: BoolArray
    is_positive: BoolArray


@dataclass
class Reconciled:
    """Forecasts of one group that add up.

    Parameters
    ----------
    tested, ahead : array of shape (series, cut-offs, horizon) and (series, horizon)
        Back-tested and final forecasts.
    way : str
        ``bottom_up``, ``mint`` or, where all series keep their naive forecast, ``none``.
    is_naive : array of shape (series,)
        The series keeps its naive forecast.
    by_way : dict
        Back-tested forecasts of each way before any series was given its naive forecast, and of ``none``.
    """

    tested: FloatArray
    ahead: FloatArray
    way: str
    is_naive: BoolArray
    by_way: dict[str, FloatArray]


@dataclass
class Shipped:
    """What ships.

    Parameters
    ----------
    tested, ahead : array of shape (series, cut-offs, horizon) and (series, horizon)
        Back-tested and final forecasts.
    weights : array of shape (series, methods)
        What the final blend is made of, before it was reconciled; rows sum to 1.
    is_fallback : array of shape (series,)
        The seasonal naive forecast or a rule of thumb ships instead of the blend.
    reconciliation : list of str
        ``none``, ``bottom_up`` or ``mint``, by series.
    half_widths : array of shape (2, series, horizon)
        Of the 80 and 95 % intervals.
    tested_half_widths : array of shape (2, series, cut-offs, horizon)
        The same in the back-tests, where the series' own scale of errors is that of the other cut-offs.
    by_way : dict
        Way of adding up to back-tested forecasts of the series of groups, NaN for the others.
    """

    tested: FloatArray
    ahead: FloatArray
    weights: FloatArray
    is_fallback: BoolArray
    reconciliation: list[str]
    half_widths: FloatArray
    tested_half_widths: FloatArray
    by_way: dict[str, FloatArray]


def weigh(errors: FloatArray, may_be_used: BoolArray) -> FloatArray:
    """Weigh methods by the square of their inverse mean squared error; methods of one kind share one vote.

    Parameters
    ----------
    errors : array of shape (series, cut-offs, methods, horizon)
        NaN where nothing is known.
    may_be_used : array of shape (series, methods)
        Methods that the blend may be made of.

    Returns
    -------
    array of shape (series, methods)
        Rows sum to 1; all 0 where none may be used. Each method's mean squared error, relative to those of the others,
        is shrunk towards its geometric mean over all series; where nothing is known of a series, that counts alone.
    """
    squared = np.where(may_be_used, _mean(errors**2, (1, 3)), np.nan)
    largest = np.max(np.where(np.isfinite(squared), squared, 0.0), axis=1, keepdims=True)
    # A thousandth of the largest error: nothing is perfect, and a perfect past must not divide by 0.
    logs = np.log(np.maximum(squared, np.where(largest > 0, 1e-6 * largest, 1.0)))
    relative = logs - _mean(logs, 1)[:, None]
    of_all = _mean(relative, 0)
    of_all = np.where(np.isfinite(of_all), of_all, 0.0)
    own = np.where(np.isfinite(relative), (1 - SHRINKAGE) * relative + SHRINKAGE * of_all, of_all)
    n_alike = np.maximum(may_be_used @ _SAME_KIND.astype("float64"), 1.0)
    # The inverse itself, not its square, was worse on 357 monthly series of the M3 competition (MASE 0.806; 0.794) and
    # on the training part of the tourism set no better (1.730; 1.729).
    inverse = np.where(may_be_used, np.exp(-2 * own) / n_alike, 0.0)
    total = inverse.sum(axis=1, keepdims=True)
    return np.asarray(np.divide(inverse, total, out=np.zeros_like(inverse), where=total > 0))


def _mean(values: FloatArray, axis: tuple[int, ...] | int) -> FloatArray:
    """Mean of what is known; NaN of nothing."""
    known = np.isfinite(values)
    n = known.sum(axis=axis)
    total = np.where(known, values, 0.0).sum(axis=axis)
    return np.asarray(np.divide(total, n, out=np.full(np.shape(n), np.nan), where=n > 0))


def _combined(weights: FloatArray, forecasts: FloatArray) -> FloatArray:
    """Combine methods (the axis before the last): half the weighted mean, half the weighted median.

    The mean alone follows one model that diverges, the median alone jumps between models. On 357
    monthly series of the M3 competition and on the training part of the tourism set the middle of both had a MASE of
    0.794 and 1.729; the mean 0.801 and 1.727, the median 0.795 and 1.737.
    """
    used = np.where(weights[..., None] > 0, forecasts, 0.0)
    mean = (weights[..., None] * used).sum(axis=-2)
    curves = np.moveaxis(used, -2, -1)
    shares = np.broadcast_to(weights[..., None, :], curves.shape)
    order = np.argsort(curves, axis=-1, kind="stable")
    reached = np.cumsum(np.take_along_axis(shares, order, -1), axis=-1)
    middle = np.argmax(reached >= 0.5 * reached[..., -1:], axis=-1)
    median = np.take_along_axis(np.take_along_axis(curves, order, -1), middle[..., None], -1)[..., 0]
    return np.asarray((mean + median) / 2)


def blend(panel: Panel) -> tuple[FloatArray, FloatArray, FloatArray, BoolArray]:
    """Blend the methods, series by series.

    Returns
    -------
    tuple
        Back-tested forecasts (series, cut-offs, horizon), forecasts (series, horizon), weights (series, methods) and
        whether a fall-back ships (series,).
    """
    errors = panel.tested - panel.actual[:, :, None, :]
    n_tests = panel.actual.shape[1]
    is_pool = np.array([method in METHODS for method in ALL_METHODS])
    may_be_used = np.isfinite(panel.ahead).all(axis=2) & is_pool & panel.is_modelled[:, None]
    weights = weigh(errors, may_be_used)
    naive = panel.tested[:, :, _NAIVE]
    tested = naive.copy()
    for test in range(n_tests):
        here = np.asarray(may_be_used & np.isfinite(panel.tested[:, test]).all(axis=2))
        own = weigh(errors[:, np.arange(n_tests) != test], here)
        # Where the blend has nothing at a cut-off, the naive forecast would have been shipped.
        tested[:, test] = np.where(
            np.any(here, axis=1, keepdims=True), _combined(own, panel.tested[:, test]), naive[:, test]
        )
    ahead = _combined(weights, panel.ahead)
    is_thumb = ~panel.is_modelled & np.isfinite(panel.ahead[:, _THUMB]).all(axis=1)
    thumb = panel.tested[:, :, _THUMB]
    has_thumb: BoolArray = np.asarray(is_thumb[:, None] & np.isfinite(thumb).all(axis=2))
    tested = np.where(has_thumb[:, :, None], thumb, tested)
    ahead[is_thumb] = panel.ahead[is_thumb, _THUMB]
    weights[is_thumb] = _only(_THUMB)
    # As much of the blend as is no worse than the naive forecast.
    share = np.zeros(len(ahead))
    for tried in _SHARES:
        mixed = tried * tested + (1 - tried) * naive
        share = np.where(worse_than_naive(panel, mixed), share, tried)
    share = np.where(is_thumb & (share < 1), 0.0, share)
    tested = share[:, None, None] * tested + (1 - share)[:, None, None] * naive
    ahead = share[:, None] * ahead + (1 - share)[:, None] * panel.ahead[:, _NAIVE]
    weights = share[:, None] * weights + (1 - share)[:, None] * _only(_NAIVE)
    return tested, ahead, weights, is_thumb | (share == 0) | (weights[:, _NAIVE] == 1)


def _only(method: int) -> FloatArray:
    """Weights of one method alone."""
    return np.asarray(np.eye(len(ALL_METHODS))[method])


def worse_than_naive(panel: Panel, tested: FloatArray) -> BoolArray:
    """Tell which series were forecast worse, in mean absolute error over all back-tests, than by the last season."""
    own = _mean(np.abs(tested - panel.actual), (1, 2))
    naive = _mean(np.abs(panel.tested[:, :, _NAIVE] - panel.actual), (1, 2))
    return np.asarray(own > naive + 1e-9 * panel.scale)


def reconcile(
    panel: Panel, tested: FloatArray, ahead: FloatArray, total: int, parts: Sequence[Sequence[int]]
) -> Reconciled:
    """Make the forecasts of one group add up, by whichever way was better in the back-tests.

    Parameters
    ----------
    panel : Panel
        Of the group alone, all series with the same cut-offs.
    tested, ahead : array of shape (series, cut-offs, horizon) and (series, horizon)
        Forecasts that do not add up yet.
    total, parts : int, sequence of sequences of int
        As in :func:`~crm_mining.forecasting.reconcile.constraints`.

    Returns
    -------
    Reconciled
        A series that would become worse than its naive forecast keeps that one, and the others make up for it.
    """
    n_series, n_tests, _ = tested.shape
    c = constraints(n_series, total, parts)
    errors = tested - panel.actual

    def covariance(tests: BoolArray, fixed: BoolArray) -> FloatArray:
        rows = errors[:, tests].reshape(n_series, -1).T
        rows = rows[np.isfinite(rows).all(axis=1)]
        w = shrunk_covariance(rows) if len(rows) > 1 else np.diag(panel.scale**2)
        w = w.copy()
        w[fixed, :] = 0.0
        w[:, fixed] = 0.0
        return w

    def apply(way: str, forecasts: FloatArray, tests: BoolArray, fixed: BoolArray, naive: FloatArray) -> FloatArray:
        start = np.where(fixed[:, None], naive, forecasts)
        low = bottom_up(start, total, parts)
        if way == BOTTOM_UP:
            return low
        out = project(start, c, covariance(tests, fixed))
        bad = ((out < 0) & panel.is_positive[:, None]).any(axis=0) | (np.abs(c @ out) > 1e-6 * np.abs(out).max()).any(
            axis=0
        )
        return np.where(bad, low, out)

    def both(way: str, fixed: BoolArray) -> tuple[FloatArray, FloatArray]:
        all_tests = np.ones(n_tests, dtype=bool)
        back = [
            apply(way, tested[:, t], np.arange(n_tests) != t, fixed, panel.tested[:, t, _NAIVE]) for t in range(n_tests)
        ]
        return np.stack(back, axis=1), apply(way, ahead, all_tests, fixed, panel.ahead[:, _NAIVE])

    nothing = np.zeros(n_series, dtype=bool)
    results = {way: both(way, nothing) for way in (BOTTOM_UP, MINT)}
    by_way = {NONE: tested} | {way: back for way, (back, _) in results.items()}
    way = BOTTOM_UP if _mase(panel, by_way[BOTTOM_UP]) <= _mase(panel, by_way[MINT]) else MINT
    fixed = nothing.copy()
    back, final = results[way]
    while (is_worse := worse_than_naive(panel, back) & ~fixed).any():
        fixed |= is_worse
        back, final = both(MINT, fixed)
        way = MINT
    if worse_than_naive(panel, back).any():
        # Repeating the last season adds up by itself.
        back, final, way = panel.tested[:, :, _NAIVE], panel.ahead[:, _NAIVE], NONE
        fixed = ~nothing
    return Reconciled(back, final, way, fixed, by_way)


def _mase(panel: Panel, tested: FloatArray) -> float:
    return float(np.mean(_mean(np.abs(tested - panel.actual), (1, 2)) / panel.scale))


def intervals(panel: Panel, tested: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Find the half-widths of the intervals from the errors of the back-tests.

    The errors of a series have a scale of their own and grow with the horizon as those of all series do. How many
    scales wide an interval is, is the quantile of the errors of all series, each measured by the scale of the other
    cut-offs (a split conformal interval: Papadopoulos et al. 2002).

    Returns
    -------
    tuple
        Half-widths of the final forecasts, (2, series, horizon), and of the back-tests, (2, series, cut-offs, horizon).
    """
    n_series, n_tests, _ = tested.shape
    relative = np.abs(tested - panel.actual) / panel.scale[:, None, None]
    growth = _growth(relative)
    steady = relative / growth
    of_all = float(np.sqrt(_mean(_mean(steady**2, 2).reshape(-1), 0))) if np.isfinite(relative).any() else 1.0
    of_all = max(of_all, 1e-9) if np.isfinite(of_all) else 1.0

    def scales(tests: BoolArray) -> FloatArray:
        known = steady[:, tests]
        squares = _mean(known**2, 2)
        n = np.isfinite(squares).sum(axis=1)
        own = np.where(np.isfinite(squares), squares, 0.0).sum(axis=1)
        return np.asarray(np.sqrt((own + _PRIOR_TESTS * of_all**2) / (n + _PRIOR_TESTS)))

    ratios = np.full_like(relative, np.nan)
    of_others = np.zeros((n_series, n_tests))
    for test in range(n_tests):
        of_others[:, test] = scales(np.arange(n_tests) != test)
        ratios[:, test] = steady[:, test] / of_others[:, test, None]
    known = np.sort(ratios[np.isfinite(ratios)])
    n_known = float(np.isfinite(ratios).any(axis=2).sum())
    own = scales(np.ones(n_tests, dtype=bool))
    # What never moved and is forecast by rule will not be told to move by the errors of others.
    is_still = ~panel.is_modelled & (_mean(relative, (1, 2)) == 0)
    own[is_still], of_others[is_still] = 0.0, 0.0
    widths, tested_widths = [], []
    for level, normal in zip(LEVELS, _NORMAL, strict=True):
        seen = float(np.quantile(known, level)) if len(known) else normal
        factor = (n_known * seen + _PRIOR_QUANTILES * normal) / (n_known + _PRIOR_QUANTILES)
        widths.append(factor * own[:, None] * growth * panel.scale[:, None])
        tested_widths.append(factor * of_others[:, :, None] * growth * panel.scale[:, None, None])
    return np.array(widths), np.array(tested_widths)


def _growth(relative: FloatArray) -> FloatArray:
    """How errors grow with the horizon, shape (horizon,), mean 1: a power of it fitted to the means of all series."""
    horizon = relative.shape[2]
    steps = np.arange(1, horizon + 1)
    means = _mean(relative, (0, 1))
    usable = np.isfinite(means) & (means > 0)
    power = 0.0
    if usable.sum() >= 3:
        power = float(np.clip(np.polyfit(np.log(steps[usable]), np.log(means[usable]), 1)[0], 0.0, 1.0))
    growth = steps**power
    return np.asarray(growth / np.mean(growth))


def ship(panel: Panel, groups: Sequence[tuple[Sequence[int], int, Sequence[Sequence[int]]]] = ()) -> Shipped:
    """Blend, reconcile and put intervals about the forecasts of a panel.

    Parameters
    ----------
    panel : Panel
        Of one frequency: growth of errors and quantiles are learned from all its series.
    groups : sequence of tuple
        ``(series, total, parts)`` of what adds up: numbers of its series in the panel, and within these the total's and
        each split's.

    Returns
    -------
    Shipped
    """
    tested, ahead, weights, is_fallback = blend(panel)
    reconciliation = [NONE] * len(ahead)
    by_way = {way: np.full_like(tested, np.nan) for way in (NONE, BOTTOM_UP, MINT)} if groups else {}
    for members, total, parts in groups:
        rows = np.asarray(members)
        own = Panel(
            panel.actual[rows], panel.tested[rows], panel.ahead[rows], panel.scale[rows],
            panel.is_modelled[rows], panel.is_positive[rows],
        )  # fmt: skip
        found = reconcile(own, tested[rows], ahead[rows], total, parts)
        tested[rows], ahead[rows] = found.tested, found.ahead
        for way, back in found.by_way.items():
            by_way[way][rows] = back
        for row in rows:
            reconciliation[row] = found.way
        weights[rows[found.is_naive]] = _only(_NAIVE)
        is_fallback[rows[found.is_naive]] = True
    half_widths, tested_half_widths = intervals(panel, tested)
    return Shipped(tested, ahead, weights, is_fallback, reconciliation, half_widths, tested_half_widths, by_way)
