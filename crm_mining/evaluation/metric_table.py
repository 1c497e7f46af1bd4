"""The one form in which every model says how good it is: a row per model, target, split and metric."""

import pandas as pd

METRIC_COLUMNS = {
    "model": "str", "target": "str", "split": "str", "fold": "int64", "metric": "str", "value": "float64",
    "interval_low": "float64", "interval_high": "float64", "baseline": "float64",
}  # fmt: skip


def no_metrics() -> pd.DataFrame:
    """Give a table of :data:`METRIC_COLUMNS` without rows."""
    return pd.DataFrame({name: pd.Series(dtype=kind) for name, kind in METRIC_COLUMNS.items()})
