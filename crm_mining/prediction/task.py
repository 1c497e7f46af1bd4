"""What is predicted (:class:`Task`) and how it is learned (:class:`Settings`)."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from crm_mining.common.arrays import FloatArray
from crm_mining.prediction.encoding import as_numbers

CLASSIFICATION, REGRESSION = "classification", "regression"


@dataclass(frozen=True)
class Task:
    """What is predicted from what.

    Parameters
    ----------
    target, kind : str
        Column to predict; ``classification`` (0 or 1) or ``regression`` (an amount).
    features : tuple of str
        Columns to predict from.
    key : str
        Column of the customer.
    as_of : str, optional
        Column of the as-of date.

    Raises
    ------
    ValueError
        For an unknown kind.
    """

    target: str
    kind: str
    features: tuple[str, ...]
    key: str
    as_of: str | None = None

    def __post_init__(self) -> None:
        if self.kind not in (CLASSIFICATION, REGRESSION):
            raise ValueError(f"kind is {self.kind!r}; allowed: {CLASSIFICATION}, {REGRESSION}")

    @property
    def is_yes_no(self) -> bool:
        """Whether a probability is predicted; otherwise an amount."""
        return self.kind == CLASSIFICATION

    @property
    def loss_name(self) -> str:
        """What models are chosen by."""
        return "log loss" if self.is_yes_no else "squared error"

    def outcome(self, data: pd.DataFrame) -> FloatArray:
        """Read the target, shape (n,); raise ValueError where a row has none or, of yes and no, another number."""
        y = as_numbers(data[self.target])
        if np.isnan(y).any() or (self.is_yes_no and not np.isin(y, (0, 1)).all()):
            allowed = "0 or 1" if self.is_yes_no else "a finite number"
            raise ValueError(f"{self.target} must be {allowed} in each row")
        return y


@dataclass(frozen=True)
class Settings:
    """How a target is learned.

    Parameters
    ----------
    n_folds : int
        Folds of customers, where there is one as-of date.
    max_rows : int
        Above this many rows a stratified sample is fitted.
    n_resamples : int
        Bootstrap draws of the intervals; 0 leaves the intervals of the metrics null.
    seed : int
        Of everything random.
    """

    n_folds: int = 5
    max_rows: int = 50_000
    n_resamples: int = 200
    seed: int = 0
