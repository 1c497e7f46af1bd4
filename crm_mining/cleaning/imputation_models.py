"""Models that fill gaps: the other columns of a record as numbers, nearest neighbours and regression."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from crm_mining.common.arrays import FloatArray, IntArray

MAX_CATEGORIES, MAX_CLASSES, N_NEIGHBOURS = 30, 50, 10
#: Models are fitted to at most this many rows; statistics to all of the sample.
MODEL_ROWS = 5_000


@dataclass(frozen=True)
class Sample:
    """Records of one table: text and number columns side by side, sorted, missing values as NaN.

    Parameters
    ----------
    frame : DataFrame
        One row per record, a column each; texts are str, numbers float.
    texts, numbers : sequence of str
        Which columns are which.
    """

    frame: pd.DataFrame
    texts: Sequence[str]
    numbers: Sequence[str]


class Encoder:
    """Turn the other columns of a record into numbers for a linear model or a distance.

    A number becomes its standardised signed logarithm, the square of that, and a flag where it is missing;
    texts become a flag for each of their ``MAX_CATEGORIES`` most frequent values, for any other, and for none.

    Parameters
    ----------
    sample : Sample
        The records to learn means and categories from.
    without : str
        The column to be predicted, which is left out.
    """

    def __init__(self, sample: Sample, without: str) -> None:
        self.numbers = [name for name in sample.numbers if name != without]
        self.texts = [name for name in sample.texts if name != without]
        self.categories = {name: sorted(_by_frequency(sample.frame[name])[:MAX_CATEGORIES]) for name in self.texts}
        logs = {name: _signed_log(sample.frame[name]) for name in self.numbers}
        self.centres = {name: float(np.nanmean(log)) if np.isfinite(log).any() else 0.0 for name, log in logs.items()}
        self.scales = {name: float(np.nanstd(log)) if np.isfinite(log).any() else 0.0 for name, log in logs.items()}

    def __call__(self, frame: pd.DataFrame) -> FloatArray:
        """Return the matrix, one row per record and always the same columns."""
        columns: list[FloatArray] = []
        for name in self.numbers:
            standard = (_signed_log(frame[name]) - self.centres[name]) / (self.scales[name] or 1.0)
            known = np.isfinite(standard)
            standard = np.clip(np.where(known, standard, 0.0), -5, 5)
            columns += [standard, standard**2, (~known).astype(np.float64)]
        for name in self.texts:
            categories = pd.Index(self.categories[name], dtype=object)
            codes = categories.get_indexer(pd.Index(frame[name]))  # -1 for another text, and for none
            is_missing = frame[name].isna().to_numpy()
            flags = [(codes == code).astype(np.float64) for code in range(len(self.categories[name]))]
            columns += [*flags, ((codes < 0) & ~is_missing).astype(np.float64), is_missing.astype(np.float64)]
        return np.column_stack(columns) if columns else np.zeros((len(frame), 1))


def fit_model(sample: Sample, column: str, name: str) -> Callable[[pd.DataFrame], pd.Series]:
    """Fit the model to all known values of the sample."""
    encoder = Encoder(sample, column)
    known = sample.frame[sample.frame[column].notna()]
    fitted = fit_matrix(encoder(known), known[column], name)
    return lambda frame: pd.Series(fitted(encoder(frame)))


def fit_matrix(matrix: FloatArray, values: pd.Series, name: str) -> Callable[[FloatArray], list[float] | list[str]]:
    """Fit nearest neighbours or a regression: ridge on the logarithm of a number, logistic for a category.

    Filled numbers stay within those that were seen, with as many decimals.
    """
    from sklearn.linear_model import LogisticRegression, Ridge
    from sklearn.neighbors import NearestNeighbors

    if len(matrix) > MODEL_ROWS:  # rows stand in the order of their key's hash, so the first ones are a sample
        matrix, values = matrix[:MODEL_ROWS], values.iloc[:MODEL_ROWS]
    is_number = pd.api.types.is_numeric_dtype(values.dtype)
    if values.nunique() < 2:
        only = values.iloc[0]
        return lambda at: [only] * len(at)
    known = values.to_numpy()
    if is_number:
        decimals, low, high = _decimals(known), known.min(), known.max()
        if name == "regression":
            ridge = Ridge(alpha=1.0, random_state=0).fit(matrix, _signed_log(values))
            return lambda at: np.clip(np.round(_exp(ridge.predict(at)), decimals), low, high).tolist()
    else:
        frequent = values.isin(_by_frequency(values)[:MAX_CLASSES]).to_numpy()
        matrix, known = matrix[frequent], known[frequent]
        if name == "regression":
            logistic = LogisticRegression(C=1.0, max_iter=200, tol=1e-3, random_state=0).fit(matrix, known.astype(str))
            return lambda at: [str(value) for value in logistic.predict(at)]
    neighbours = NearestNeighbors(n_neighbors=min(N_NEIGHBOURS, len(matrix))).fit(matrix)

    def of_neighbours(at: FloatArray) -> list[float] | list[str]:
        indices = neighbours.kneighbors(at, return_distance=False)
        if is_number:
            lower: list[float] = np.quantile(known[indices], 0.5, axis=1, method="lower").tolist()
            return lower
        classes, codes = np.unique(known.astype(str), return_inverse=True)
        votes = np.apply_along_axis(np.bincount, 1, codes[indices], minlength=len(classes))
        return [str(classes[code]) for code in votes.argmax(axis=1)]

    return of_neighbours


def missingness_odds(sample: Sample, column: str, known: IntArray) -> FloatArray:
    """Odds that a record like each known one lacks the column; 1 for all where hardly any does."""
    from sklearn.linear_model import LogisticRegression

    is_missing = sample.frame[column].isna().to_numpy()
    if is_missing.sum() < 5:
        return np.ones(len(known))
    matrix = Encoder(sample, column)(sample.frame)
    model = LogisticRegression(C=0.1, max_iter=200, tol=1e-3, random_state=0)
    model.fit(matrix[:MODEL_ROWS], is_missing[:MODEL_ROWS]) if is_missing[:MODEL_ROWS].any() else model.fit(
        matrix, is_missing
    )
    return np.asarray(np.exp(np.clip(model.decision_function(matrix[known]), -8, 8)), dtype=np.float64)


def _by_frequency(values: pd.Series) -> list[str]:
    counts = values.value_counts()
    return sorted(counts.index, key=lambda value: (-counts[value], value))


def _signed_log(values: pd.Series) -> FloatArray:
    numbers = values.to_numpy(dtype=np.float64, na_value=np.nan)
    return np.asarray(np.sign(numbers) * np.log1p(np.abs(numbers)), dtype=np.float64)


def _exp(logs: FloatArray) -> FloatArray:
    return np.asarray(np.sign(logs) * np.expm1(np.minimum(np.abs(logs), 500.0)), dtype=np.float64)


def _decimals(known: FloatArray) -> int:
    """Decimals, at most four, that the known values are written with."""
    return next((digits for digits in range(4) if np.allclose(known, np.round(known, digits), rtol=0, atol=1e-9)), 4)
