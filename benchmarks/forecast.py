"""Forecasts of monthly series with a known end: this project's beside statsforecast's AutoARIMA and AutoTheta.

Each set is cut once: what comes before goes into ``crm_mining.forecasting.panel.forecast_series``, which the warehouse
is built on, and what comes after is only compared with. Everything that is chosen is chosen in there, by back-tests
inside the part before. statsforecast gets the same series, one at a time, in an environment of its own, which this
project does not depend on. Seconds are of the processor and per series: for statsforecast without imports and
compilation, for ours with the start of the processes, of all models at all cut-offs together.
"""

import argparse
import json
import multiprocessing
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from identity_sets import PROJECT, REFERENCE_DATA

from crm_mining.common.arrays import FloatArray

HOW_TO_GET_STATSFORECAST = """\
statsforecast is not part of this project. Make an environment for it outside the repository, and name its Python:
    python3 -m venv ~/.cache/crm_statsforecast
    ~/.cache/crm_statsforecast/bin/python -m pip install statsforecast==2.1.1
    … benchmarks/forecast.py --statsforecast-python ~/.cache/crm_statsforecast/bin/python"""

PERIOD = 12
MODELS = ("AutoARIMA", "AutoTheta")
LEVELS = (80, 95)
#: Our methods in the order of the table, by the name that people know them by.
OURS = {
    "shipped": "ours, as it ships",
    "arima": "our ARIMA alone",
    "log_arima": "our ARIMA of logarithms",
    "smoothing": "our smoothing alone",
    "log_smoothing": "our smoothing of logarithms",
    "theta": "our Theta alone",
    "log_theta": "our Theta of logarithms",
    "season_totals": "our totals of seasons by Theta",
    "season_profile": "the last season's total, usual profile",
    "seasonal_naive": "seasonal naive",
}


@dataclass(frozen=True)
class Split:
    """A set of series, each cut into what is known and what is to be forecast.

    Parameters
    ----------
    name : str
        Of the set.
    horizon : int
        Values to forecast.
    known, actual : dict
        Series to array of shape (n,) and (horizon,).
    """

    name: str
    horizon: int
    known: dict[str, FloatArray]
    actual: dict[str, FloatArray]


@dataclass(frozen=True)
class Result:
    """Forecasts of one method: series to array of shape (horizon,), and where there are any, ends of its intervals.

    Parameters
    ----------
    ahead : dict
        Series to forecasts; one that is missing counts as the seasonal naive forecast.
    ends : dict
        Series to array of shape (4, horizon): low and high of 80 %, low and high of 95 %.
    seconds : float, optional
        Of the processor, per series.
    """

    ahead: dict[str, FloatArray]
    ends: dict[str, FloatArray]
    seconds: float | None = None


def read_tourism(n_series: int | None) -> Split:
    """Read the monthly tourism set of Athanasopoulos et al. (2011): 366 series, 24 months held out."""
    import pandas as pd

    path = REFERENCE_DATA / "tourism" / "tourism_monthly.parquet"
    if not path.is_file():
        raise SystemExit(f"{path} is not there; CRM_REFERENCE_DATA names the folder of reference data")
    rows = pd.read_parquet(path).sort_values(["series", "t"])
    parts = {
        split: {str(key): own.to_numpy(dtype="float64") for key, own in part.groupby("series")["value"]}
        for split, part in rows.groupby("split")
    }
    keys = sorted(parts["train"])[:n_series]
    return Split("tourism", 24, {k: parts["train"][k] for k in keys}, {k: parts["test"][k] for k in keys})


def make_world(n_series: int | None) -> Split:
    """Make up the monthly series of a shop: 3 to 10 years, 12 months held out, 1,000 by default.

    Seven in ten have a level that drifts, a season and noise that grow with it; one in ten has no season, one in ten a
    jump in its level, and one in ten is rare counts.
    """
    known, actual = {}, {}
    for number in range(n_series or 1000):
        draw = np.random.default_rng([8, number])
        n = int(draw.integers(36, 121)) + 12
        steps = np.arange(n)
        trend = np.cumsum(draw.normal(draw.normal(0, 0.005), draw.uniform(0.005, 0.04), n))
        wave = np.array([draw.normal(0, size / 2) for size in (0.4, 0.2, 0.1)])
        shift = draw.uniform(0, 2 * np.pi, 3)
        season = sum(size * np.sin(2 * np.pi * (i + 1) * steps / PERIOD + shift[i]) for i, size in enumerate(wave))
        kind = number % 10
        logs = trend + (season if kind else 0.0) + draw.normal(0, draw.uniform(0.03, 0.2), n)
        if kind == 1:
            logs = logs + draw.choice([-0.5, 0.5]) * (steps >= draw.integers(n // 4, 3 * n // 4))
        level = 10 ** draw.uniform(1, 5)
        values = draw.poisson(1.5 * np.exp(np.clip(logs, -1, 1))) if kind == 2 else level * np.exp(logs)
        key = f"w{number:05d}"
        known[key], actual[key] = values[:-12].astype("float64"), values[-12:].astype("float64")
    return Split("world", 12, known, actual)


SETS = {"tourism": read_tourism, "world": make_world}


def run_ours(split: Split, processes: int) -> dict[str, Result]:
    """Forecast with the library's public function; the seconds stand with ``shipped``."""
    from crm_mining.common.progress import Progress
    from crm_mining.forecasting.backtest import Series
    from crm_mining.forecasting.panel import forecast_series

    before, started = _processor_seconds(), time.monotonic()
    series = [Series(key, values, PERIOD) for key, values in split.known.items()]
    progress = Progress(f"series of {split.name}", len(series))
    rows = forecast_series(series, split.horizon, workers=processes, report=progress.update)
    seconds = (_processor_seconds() - before) / len(series)
    print(f"{split.name}: ours took {time.monotonic() - started:.0f} s with {processes} processes", file=sys.stderr)
    final = rows[rows["n_known"] == rows["series_id"].map({key: len(values) for key, values in split.known.items()})]
    results = {method: Result({}, {}, seconds if method == "shipped" else None) for method in OURS}
    columns = [f"{end}_{level}" for level in LEVELS for end in ("low", "high")]
    for (method, key), part in final.sort_values("step").groupby(["method", "series_id"]):
        if method in results:
            results[str(method)].ahead[str(key)] = part["forecast"].to_numpy()
        if method == "shipped":
            results["shipped"].ends[str(key)] = part[columns].to_numpy().T
    return results


def _processor_seconds() -> float:
    uses = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(use.ru_utime + use.ru_stime for use in uses)


def run_statsforecast(split: Split, python: Path, processes: int) -> dict[str, Result]:
    """Forecast with statsforecast, in its own environment."""
    with tempfile.TemporaryDirectory(prefix="crm_forecast_") as folder:
        task, answer = Path(folder) / "task.json", Path(folder) / "answer.json"
        known = {key: values.tolist() for key, values in split.known.items()}
        task.write_text(json.dumps({"known": known, "horizon": split.horizon}))
        command = [str(python), str(PROJECT / "benchmarks" / "forecast.py"), "--fit", str(task), str(answer)]
        subprocess.run([*command, "--processes", str(processes)], cwd=PROJECT, check=True)
        found = json.loads(answer.read_text())
    results = {}
    for model in MODELS:
        own = {key: of_models[model] for key, of_models in found.items() if of_models[model] is not None}
        results[model] = Result(
            {key: np.array(one["ahead"]) for key, one in own.items()},
            {key: np.array(one["ends"]) for key, one in own.items()},
            float(np.mean([one["seconds"] for one in own.values()])),
        )
    return results


def fit_with_statsforecast(task: Path, answer: Path, processes: int) -> None:
    """Run inside the environment of statsforecast: series in, forecasts of each model out."""
    asked = json.loads(task.read_text())
    tasks = [(key, values, asked["horizon"]) for key, values in asked["known"].items()]
    found = {}
    started = reported = time.monotonic()
    with multiprocessing.get_context("spawn").Pool(processes, _warm_up) as pool:
        for key, of_models in pool.imap_unordered(_fit_one, tasks):
            found[key] = of_models
            if (now := time.monotonic()) - reported >= 5:
                reported = now
                left = (now - started) / len(found) * (len(tasks) - len(found))
                print(f"{len(found):,} of {len(tasks):,} series by statsforecast, {left:.0f} s left", file=sys.stderr)
    answer.write_text(json.dumps(found))


def _warm_up() -> None:
    """Compile: not counted."""
    draw = np.random.default_rng(0)
    _fit_one(("warm", list(100 + 10 * np.sin(np.arange(72) * 2 * np.pi / PERIOD) + draw.normal(size=72)), PERIOD))


def _fit_one(task: tuple[str, list[float], int]) -> tuple[str, dict[str, Any]]:
    from statsforecast import models  # type: ignore[import-not-found]

    key, values, horizon = task
    found: dict[str, Any] = {}
    for name in MODELS:
        started = time.process_time()
        try:
            ahead = getattr(models, name)(season_length=PERIOD).forecast(
                y=np.array(values, dtype="float64"), h=horizon, level=list(LEVELS)
            )
        except Exception as error:  # Whatever it is: no forecast.
            print(f"{name} of {key}: {error!r}", file=sys.stderr)
            found[name] = None
            continue
        ends = [ahead[f"{end}-{level}"].tolist() for level in LEVELS for end in ("lo", "hi")]
        seconds = time.process_time() - started
        found[name] = {"ahead": ahead["mean"].tolist(), "ends": ends, "seconds": seconds}
    return key, found


def measure(split: Split, result: Result, naive: Result) -> list[float]:
    """Measure MAPE, sMAPE, MASE, coverage of 80 and of 95 %: means of the means of each series, or NaN.

    A percentage of an actual value of 0 is not counted.
    """
    rows = []
    for key, actual in split.actual.items():
        y = split.known[key]
        ahead = result.ahead.get(key, naive.ahead[key])
        error = np.abs(ahead - actual)
        scale = float(np.mean(np.abs(y[PERIOD:] - y[:-PERIOD])))
        some = actual != 0
        percent = 100 * float(np.mean(error[some] / np.abs(actual[some]))) if some.any() else np.nan
        size = np.abs(ahead) + np.abs(actual)
        symmetric = 200 * float(np.mean(np.divide(error, size, out=np.zeros_like(error), where=size > 0)))
        held = [np.nan, np.nan]
        if key in result.ends:
            low_80, high_80, low_95, high_95 = result.ends[key]
            inside = [(low <= actual) & (actual <= high) for low, high in ((low_80, high_80), (low_95, high_95))]
            held = [100 * float(np.mean(one)) for one in inside]
        rows.append([percent, symmetric, float(np.mean(error)) / scale if scale > 0 else np.nan, *held])
    table = np.array(rows)
    return [float(np.nanmean(column)) if np.isfinite(column).any() else np.nan for column in table.T]


def as_markdown(split: Split, results: dict[str, Result]) -> str:
    """Lay the results of one set out as a Markdown table, without methods that most series have no forecast of."""
    lines = [
        f"| {split.name}: {len(split.known):,} series | MAPE | sMAPE | MASE | 80 % held | 95 % held | CPU s a series |",
        "| --- |" + " --: |" * 6,
    ]
    for name, result in results.items():
        if 2 * len(result.ahead) < len(split.known):
            continue
        *errors, held_80, held_95 = measure(split, result, results["seasonal_naive"])
        cells = [f"{errors[0]:.2f}", f"{errors[1]:.2f}", f"{errors[2]:.3f}"]
        cells += ["" if np.isnan(held) else f"{held:.1f}" for held in (held_80, held_95)]
        cells.append("" if result.seconds is None else f"{result.seconds:.2f}")
        n_missing = len(split.known) - len(result.ahead)
        label = OURS.get(name, f"statsforecast {name}") + (f" ({n_missing} had none)" if n_missing else "")
        lines.append(f"| {label} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=HOW_TO_GET_STATSFORECAST, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sets", nargs="+", choices=list(SETS), default=list(SETS))
    parser.add_argument("--series", type=int, help="the first n of each set (world: n are made up)")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--statsforecast-python", type=Path, help="Python of the environment that has statsforecast")
    parser.add_argument("--without-statsforecast", action="store_true", help="measure ours only")
    parser.add_argument("--fit", nargs=2, type=Path, metavar=("TASK", "ANSWER"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.fit:
        fit_with_statsforecast(*arguments.fit, arguments.processes)
        return
    if arguments.series is not None and arguments.series < 1:
        parser.error(f"--series is {arguments.series}; allowed: 1 and above")
    python = arguments.statsforecast_python
    if not arguments.without_statsforecast and not (python and python.is_file()):
        parser.error(
            "--statsforecast-python is missing or names no file (or give --without-statsforecast)\n"
            + HOW_TO_GET_STATSFORECAST
        )
    for name in arguments.sets:
        split = SETS[name](arguments.series)
        results = run_ours(split, arguments.processes)
        print(as_markdown(split, results), file=sys.stderr, flush=True)
        if not arguments.without_statsforecast:
            results |= run_statsforecast(split, python.absolute(), arguments.processes)
        print(as_markdown(split, results), flush=True)


if __name__ == "__main__":
    main()
