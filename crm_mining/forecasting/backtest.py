"""Candidates of many series at their last observation and at earlier cut-offs, in parallel processes."""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from multiprocessing import get_context

import numpy as np

from crm_mining.common.arrays import FloatArray
from crm_mining.common.threads import one_thread
from crm_mining.forecasting.arima import Orders
from crm_mining.forecasting.candidates import Candidates, candidates
from crm_mining.forecasting.history import MIN_OBSERVATIONS, prepare

#: Cut-offs of a back-test. Five were better than three on 357 monthly series of the M3 competition (MASE 0.79, with
#: three 0.81) and on the training part of the tourism set (1.729 and 1.734).
N_TESTS = 5
#: Below this many series new processes cost more than they save: each takes 4 to 5 CPU seconds to start, as much as 30
#: to 40 series (84 series of the sample: 11 CPU seconds in one process, 21 in two, in the same time).
MIN_PARALLEL = 400
#: Changes when the same history would be forecast otherwise.
VERSION = "3"


@dataclass(frozen=True)
class Series:
    """A series to forecast.

    Parameters
    ----------
    key : str
        Its name.
    values : array of shape (n,)
        One value per period.
    period : int
        Observations in a season, 1 for none.
    starts : mapping
        Observations known at a cut-off to the orders that held there (of ``arima`` and ``log_arima``). They are tried
        first at that cut-off and at later ones.
    done : frozenset of int
        Cut-offs (observations known) that are not asked for again.
    regressors : array of shape (n + horizon, k), optional
        Calendar or promotions, of the observations and of the time to forecast.
    """

    key: str
    values: FloatArray
    period: int
    starts: Mapping[int, Mapping[str, Orders]] = field(default_factory=dict)
    done: frozenset[int] = frozenset()
    regressors: FloatArray | None = None


@dataclass(frozen=True)
class Tested:
    """Candidates of one series: by observations known, the last one the forecast proper."""

    key: str
    status: str
    found: dict[int, Candidates]


def cutoffs(n: int, horizon: int, n_tests: int = N_TESTS) -> list[int]:
    """Choose the cut-offs of a back-test.

    Parameters
    ----------
    n, horizon : int
        Observations, and values to forecast.
    n_tests : int
        Cut-offs at most.

    Returns
    -------
    list of int
        Observations known at each, rising. The last one leaves the horizon or, if that is less, a sixth of the series;
        the others lie half as far apart from one another. Fewer where there would be left to learn from less than two
        fifths of the series, or than three horizons (of short series, two thirds).

    Examples
    --------
    >>> cutoffs(120, 24), cutoffs(36, 12), cutoffs(3, 12)
    ([80, 90, 100], [24, 27, 30], [])
    """
    first = min(horizon, max(n // 6, 1))
    step = max(first // 2, 1)
    known = [n - first - i * step for i in range(n_tests)] if first else []
    return sorted(k for k in known if k >= max(MIN_OBSERVATIONS, 2 * n // 5, min(3 * horizon, 2 * n // 3)))


def fingerprint(series: Series, known: int, horizon: int) -> str:
    """Hash what the candidates at a cut-off depend on."""
    text = f"{VERSION}|{series.period}|{horizon}|{known == len(series.values)}|".encode()
    parts = [series.values[:known]]
    if series.regressors is not None:
        parts.append(series.regressors[: known + horizon].ravel())
    return hashlib.sha256(text + np.concatenate(parts).astype("float64").tobytes()).hexdigest()[:16]


def backtest_series(series: Series, horizon: int, n_tests: int = N_TESTS) -> Tested:
    """Fit all candidates of one series at each of its cut-offs and at its end."""
    n = len(series.values)
    found: dict[int, Candidates] = {}
    held: Mapping[str, Orders] = {}
    for known in [*cutoffs(n, horizon, n_tests), n]:
        held = series.starts.get(known) or held or _last_before(series.starts, known)
        if known in series.done:
            continue
        x = series.regressors[: known + horizon] if series.regressors is not None else None
        history = prepare(series.values[:known], series.period)
        found[known] = candidates(history, series.period, horizon, starts=held, is_final=known == n, regressors=x)
        held = found[known].orders or held
    return Tested(series.key, prepare(series.values, series.period).status, found)


def _last_before(starts: Mapping[int, Mapping[str, Orders]], known: int) -> Mapping[str, Orders]:
    earlier = [at for at in starts if at <= known]
    return starts[max(earlier)] if earlier else {}


def _test_alone(task: tuple[Series, int, int]) -> Tested:
    with one_thread():
        return backtest_series(*task)


def backtest_all(
    series: Sequence[Series],
    horizons: Sequence[int],
    *,
    n_tests: int = N_TESTS,
    workers: int = 1,
    report: Callable[[int], None] = lambda done: None,
) -> list[Tested]:
    """Fit all candidates of many series.

    Parameters
    ----------
    series : sequence of Series
        Whatever their lengths and periods.
    horizons : sequence of int
        Of each.
    n_tests : int
        Cut-offs of the back-tests at most.
    workers : int
        Processes, at least 1. The result is the same whatever their number.
    report : callable
        Called with the number of series done.

    Returns
    -------
    list of Tested
        In the order of ``series``.

    Raises
    ------
    ValueError
        When a parameter is outside its range; the message names both.
    """
    for name, value in (("workers", workers), ("n_tests", n_tests), *(("horizon", h) for h in horizons)):
        if value < 1:
            raise ValueError(f"{name} is {value}; allowed: 1 and above")
    tasks = [(one, horizon, n_tests) for one, horizon in zip(series, horizons, strict=True)]
    results: list[Tested] = []
    if workers > 1 and len(tasks) >= MIN_PARALLEL:
        try:
            for result in _in_processes(tasks, workers):
                results.append(result)
                report(len(results))
        except (OSError, BrokenProcessPool):
            pass  # No processes to be had here: go on in this one.
    for task in tasks[len(results) :]:
        results.append(_test_alone(task))
        report(len(results))
    return results


def _in_processes(tasks: Sequence[tuple[Series, int, int]], workers: int) -> Iterator[Tested]:
    # A forked copy of a process with threads may hang: start afresh.
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        yield from pool.map(_test_alone, tasks, chunksize=max(1, min(8, len(tasks) // (4 * workers))))
