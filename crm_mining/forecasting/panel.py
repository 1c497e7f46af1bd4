"""Series in, forecasts out: the steps of the package one after the other, in data frames."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import astuple, fields

import numpy as np
import pandas as pd

from crm_mining.common.arrays import FloatArray
from crm_mining.forecasting.arima import Orders
from crm_mining.forecasting.backtest import N_TESTS, Series, Tested, backtest_all, cutoffs
from crm_mining.forecasting.blend import ALL_METHODS, NONE, Panel, Shipped, ship
from crm_mining.forecasting.history import MODELLED, prepare
from crm_mining.forecasting.history import known as known_values
from crm_mining.forecasting.reconcile import splits

SHIPPED, UNRECONCILED = "shipped", "unreconciled"
ORDER_COLUMNS = tuple(column.name for column in fields(Orders))
#: Dimension and member of a series in a group whose parts add up, and the group's name.
Place = tuple[str, str, str]


def candidate_rows(results: Sequence[Tested]) -> pd.DataFrame:
    """Write candidates as rows.

    Returns
    -------
    DataFrame
        ``series_id, n_known, method, form``, of the ARIMA models :data:`ORDER_COLUMNS`, ``step, forecast``.
    """
    keys: list[tuple[object, ...]] = []
    values: list[FloatArray] = []
    for result in results:
        for known, found in result.found.items():
            for method, ahead in found.forecasts.items():
                orders = found.orders.get(method)
                of_orders = (None,) * len(ORDER_COLUMNS) if orders is None else astuple(orders)
                keys.append((result.key, known, method, found.forms.get(method), *of_orders))
                values.append(ahead)
    return _stretched(keys, ["series_id", "n_known", "method", "form", *ORDER_COLUMNS], values, ["forecast"])


def _stretched(
    keys: Sequence[tuple[object, ...]], key_columns: list[str], values: Sequence[FloatArray], columns: list[str]
) -> pd.DataFrame:
    """Make one row per step from one key and one array, of shape (steps,) or (columns, steps), for each curve."""
    lengths = [value.shape[-1] for value in values]
    frame = pd.DataFrame.from_records(list(keys), columns=key_columns)
    frame = frame.iloc[np.repeat(np.arange(len(keys)), lengths)].reset_index(drop=True)
    frame["step"] = np.concatenate([np.arange(1, n + 1) for n in lengths]) if lengths else np.zeros(0, dtype="int64")
    stacked = np.concatenate([np.atleast_2d(v) for v in values], axis=1) if lengths else np.zeros((len(columns), 0))
    return frame.assign(**{column: stacked[number] for number, column in enumerate(columns)})


def assemble(series: Sequence[Series], rows: pd.DataFrame, horizon: int, n_tests: int = N_TESTS) -> Panel:
    """Lay the candidates of series of one horizon side by side.

    Parameters
    ----------
    series : sequence of Series
        Whose order the panel keeps.
    rows : DataFrame
        ``series_id, n_known, method, step, forecast`` of their cut-offs, in any order.
    horizon, n_tests : int
        As they were for the candidates.

    Returns
    -------
    Panel
        The cut-offs of a series stand at the end, where it has fewer than others.
    """
    shape = (len(series), n_tests, horizon)
    actual = np.full(shape, np.nan)
    tested = np.full((len(series), n_tests, len(ALL_METHODS), horizon), np.nan)
    ahead = np.full((len(series), len(ALL_METHODS), horizon), np.nan)
    scale = np.ones(len(series))
    is_modelled = np.zeros(len(series), dtype=bool)
    is_positive = np.zeros(len(series), dtype=bool)
    place: dict[tuple[str, int], tuple[int, int]] = {}
    for i, one in enumerate(series):
        n = len(one.values)
        history = prepare(one.values, one.period)
        known = cutoffs(n, horizon, n_tests)
        for test, at in enumerate(known, start=n_tests - len(known)):
            place[one.key, at] = (i, test)
            came = one.values[at : at + horizon]
            actual[i, test, : len(came)] = np.where(known_values(came), came, np.nan)
        place[one.key, n] = (i, -1)
        scale[i] = naive_error(history.y, one.period)
        is_modelled[i] = history.status in MODELLED
        is_positive[i] = not len(history.y) or history.y.min() >= 0
    columns = {method: number for number, method in enumerate(ALL_METHODS)}
    for (key, of), part in rows.groupby(["series_id", "n_known"], sort=False):
        if (str(key), int(str(of))) not in place:
            continue
        i, test = place[str(key), int(str(of))]
        method = part["method"].map(columns).to_numpy()
        step = part["step"].to_numpy() - 1
        target = ahead[i] if test < 0 else tested[i, test]
        target[method, step] = part["forecast"].to_numpy(dtype="float64")
    return Panel(actual, tested, ahead, scale, is_modelled, is_positive)


def naive_error(y: FloatArray, period: int) -> float:
    """Mean absolute error of repeating the last season within a history: the unit of MASE (Hyndman & Koehler 2006).

    Never 0: where nothing ever changed, the unit is the mean absolute value, or 1.
    """
    lag = period if len(y) > period else 1
    error = float(np.mean(np.abs(y[lag:] - y[:-lag]))) if len(y) > lag else 0.0
    if error > 0:
        return error
    size = float(np.mean(np.abs(y))) if len(y) else 0.0
    return size if size > 0 else 1.0


def find_groups(series: Sequence[Series], places: Mapping[str, Place]) -> list[tuple[list[int], int, list[list[int]]]]:
    """Find what adds up: per group the numbers of its series, and within these the total's and each split's.

    Parameters
    ----------
    series : sequence of Series
        Whose numbers are meant.
    places : mapping
        Key of a series to its group, dimension and member; the total's dimension is ``total``.
    """
    groups = []
    for name in sorted({group for group, _, _ in places.values()}):
        keys = {one.key: places[one.key][1:] for one in series if one.key in places and places[one.key][0] == name}
        found = splits(keys)
        numbers = {one.key: i for i, one in enumerate(series)}
        lengths = {len(series[numbers[key]].values) for key in keys}
        if found is None or len(lengths) != 1:
            continue
        total, parts = found
        members = [total, *(key for part in parts for key in part)]
        inside = {key: i for i, key in enumerate(members)}
        groups.append(([numbers[key] for key in members], 0, [[inside[key] for key in part] for part in parts]))
    return groups


def shipped_rows(series: Sequence[Series], panel: Panel, shipped: Shipped) -> pd.DataFrame:
    """Write what ships, its back-tests, and what they are compared with as rows.

    Returns
    -------
    DataFrame
        ``series_id, n_known, method, weight, is_fallback, reconciliation, scale, status, step, forecast, low_80,
        high_80, low_95, high_95, actual``: one row per series, cut-off, method and step. The method ``shipped`` has
        intervals; ``unreconciled``, ``bottom_up`` and ``mint`` are back-tested only, within groups. ``weight`` is that
        of the method in the final blend, ``scale`` the unit of MASE.
    """
    n_tests, horizon = panel.actual.shape[1:]
    nothing = np.full(horizon, np.nan)
    keys: list[tuple[object, ...]] = []
    values: list[FloatArray] = []
    for i, one in enumerate(series):
        n = len(one.values)
        known = cutoffs(n, horizon, n_tests)
        status = prepare(one.values, one.period).status
        facts = (bool(shipped.is_fallback[i]), shipped.reconciliation[i], float(panel.scale[i]), status)
        for test, at in [*enumerate(known, start=n_tests - len(known)), (-1, n)]:
            is_final = test < 0
            ahead = shipped.ahead[i] if is_final else shipped.tested[i, test]
            width = shipped.half_widths[:, i] if is_final else shipped.tested_half_widths[:, i, test]
            low, high = ahead - width, ahead + width
            low = np.maximum(low, 0.0) if panel.is_positive[i] else low
            actual = nothing if is_final else panel.actual[i, test]
            of_methods = panel.ahead[i] if is_final else panel.tested[i, test]
            curves = [(method, of_methods[m], float(shipped.weights[i, m])) for m, method in enumerate(ALL_METHODS)]
            if not is_final:
                ways = {UNRECONCILED if way == NONE else way: back[i, test] for way, back in shipped.by_way.items()}
                curves += [(way, back, np.nan) for way, back in ways.items()]
            keys.append((one.key, at, SHIPPED, np.nan, *facts))
            values.append(np.vstack([ahead, low[0], high[0], low[1], high[1], actual]))
            for method, forecast, weight in curves:
                if np.isfinite(forecast).all():
                    keys.append((one.key, at, method, weight, *facts))
                    values.append(np.vstack([forecast, nothing, nothing, nothing, nothing, actual]))
    key_columns = ["series_id", "n_known", "method", "weight", "is_fallback", "reconciliation", "scale", "status"]
    columns = ["forecast", "low_80", "high_80", "low_95", "high_95", "actual"]
    return _stretched(keys, key_columns, values, columns)


def forecast_series(
    series: Sequence[Series],
    horizon: int,
    *,
    places: Mapping[str, Place] | None = None,
    n_tests: int = N_TESTS,
    workers: int = 1,
    report: Callable[[int], None] = lambda done: None,
) -> pd.DataFrame:
    """Forecast series of one frequency.

    Parameters
    ----------
    series : sequence of Series
        Of any lengths.
    horizon : int
        Values to forecast.
    places : mapping, optional
        Key to ``(group, dimension, member)`` of series that add up to their group's total.
    n_tests, workers, report
        As :func:`~crm_mining.forecasting.backtest.backtest_all` takes them.

    Returns
    -------
    DataFrame
        As :func:`shipped_rows` returns it, in the order of ``series``; no value of the method ``shipped`` is ever NaN
        or infinite.
    """
    rows = candidate_rows(
        backtest_all(series, [horizon] * len(series), n_tests=n_tests, workers=workers, report=report)
    )
    panel = assemble(series, rows, horizon, n_tests)
    return shipped_rows(series, panel, ship(panel, find_groups(series, places or {})))
