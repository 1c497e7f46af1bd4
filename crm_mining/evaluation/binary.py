"""How good probabilities of a yes or no are: order (ROC, precision), calibration, losses."""

from functools import cached_property

import numpy as np
from scipy.sparse import csr_array
from scipy.special import logit

from crm_mining.common.arrays import BoolArray, FloatArray, IntArray
from crm_mining.evaluation.logistic import fit_lines

#: Probabilities are kept this far from 0 and 1 before a logarithm is taken.
_LEAST = 1e-6


class Probabilities:
    """Probabilities of a yes beside what came, to be measured under many weightings of the rows.

    What does not depend on the weights (order, losses) is computed once.

    Parameters
    ----------
    y : array of shape (n,)
        0 or 1.
    p : array of shape (n,)
        Probabilities of 1.
    threshold : float
        A probability at or above it counts as yes.
    """

    def __init__(self, y: FloatArray, p: FloatArray, threshold: float = 0.5) -> None:
        self.y, self.p = y, p
        yes = p >= threshold
        self._sums = np.column_stack([np.ones(len(y)), y, y * yes, yes, (y - p) ** 2, log_losses(y, p)])

    def measure(self, w: FloatArray) -> dict[str, FloatArray]:
        """Measure, once for each weighting.

        Parameters
        ----------
        w : array of shape (n, n_weightings)
            Weights of the rows: ones, or what a bootstrap draws.

        Returns
        -------
        dict
            Measure to array of shape (n_weightings,); NaN where it is not defined.
        """
        total, positive, tp, predicted, squares, loss = self._sums.T @ w
        negative = total - positive
        tn = negative - (predicted - tp)
        recall = ratio(tp, positive)
        precision = np.where(predicted > 0, np.divide(tp, predicted, out=np.zeros_like(tp), where=predicted > 0), 0.0)
        return {
            "accuracy": ratio(tp + tn, total),
            "precision": precision,
            "recall": recall,
            "f1": ratio(2 * tp, predicted + positive),
            "balanced_accuracy": (recall + ratio(tn, negative)) / 2,
            **self._order.measure(w),
            "brier_score": ratio(squares, total),
            "log_loss": ratio(loss, total),
            "calibration_slope": self._slope(w, (positive > 0) & (negative > 0)),
        }

    @cached_property
    def _order(self) -> "Order":
        return Order(self.y, self.p)

    def _slope(self, w: FloatArray, is_known: BoolArray) -> FloatArray:
        """Slope of a logistic regression of the outcome on the predicted log-odds (Cox 1958); 1 is calibrated."""
        z = logit(np.clip(self.p, _LEAST, 1 - _LEAST))
        if len(z) < 3 or np.ptp(z) < 1e-9:
            return np.full(w.shape[1], np.nan)
        return np.where(is_known, fit_lines(z, self.y, w)[1], np.nan)


class Order:
    """The order of rows by a number that rises with the belief in a yes; rows of equal number count as one.

    Parameters
    ----------
    y : array of shape (n,)
        0 or 1.
    p : array of shape (n,)
        The number.
    """

    def __init__(self, y: FloatArray, p: FloatArray) -> None:
        order = np.argsort(-p, kind="stable")
        tie = np.cumsum(np.r_[False, np.diff(p[order]) != 0]) if len(p) else np.zeros(0, dtype="int64")
        starts = np.flatnonzero(np.r_[True, np.diff(tie) != 0]) if len(p) else np.zeros(0, dtype="int64")
        ends = np.append(starts[1:], len(p))
        is_yes = y[order] > 0
        # Only at a yes does any measure of the order change: sum up from one tie with a yes to the end of the next.
        held = np.unique(tie[is_yes])
        self._yes = _sums_of(order[is_yes], np.append(np.searchsorted(tie[is_yes], held), is_yes.sum()), len(p))
        self._until = _sums_of(order, np.concatenate([[0], ends[held]]), len(p))
        inside = np.isin(tie, held)
        self._inside = _sums_of(order[inside], np.append(np.searchsorted(tie[inside], held), inside.sum()), len(p))
        self._is_tied = bool(inside.sum() > len(held))

    def measure(self, w: FloatArray) -> dict[str, FloatArray]:
        """Measure the order, once for each weighting (shape (n, n_weightings)): as :meth:`Probabilities.measure`."""
        positive, until = self._yes @ w, np.cumsum(self._until @ w, axis=0)
        everyone = self._inside @ w if self._is_tied else positive
        n_all, n_positive = w.sum(axis=0), positive.sum(axis=0)
        above = np.cumsum(positive, axis=0)
        # Those of a tie count half (Hanley & McNeil 1982).
        below = (n_all - n_positive) - until + above + (everyone - positive) / 2
        hits = np.divide(above, until, out=np.zeros_like(until), where=until > 0)
        # Of a tie across the border of the first tenth, a share counts: what random order gives on average.
        room = n_all / 10 - (until - everyone)
        share = np.clip(np.divide(room, everyone, out=np.zeros_like(room), where=everyone > 0), 0, 1)
        return {
            "roc_auc": ratio(_dot(positive, below), n_positive * (n_all - n_positive)),
            "average_precision": ratio(_dot(positive, hits), n_positive),
            "lift_first_decile": ratio(_dot(positive, share) * 10, n_positive),
        }


def roc_auc(y: FloatArray, p: FloatArray) -> float:
    """Area under the ROC curve, ties counted half: the chance that a yes has the greater number (Hanley & McNeil 1982).

    Parameters
    ----------
    y : array of shape (n,)
        0 or 1.
    p : array of shape (n,)
        Any number that rises with the belief in a yes.

    Returns
    -------
    float
        Between 0 and 1; NaN with one class.

    Examples
    --------
    >>> roc_auc(np.array([0.0, 1.0, 1.0]), np.array([0.2, 0.2, 0.9]))
    0.75
    """
    return float(Order(y, p).measure(np.ones((len(y), 1)))["roc_auc"][0])


def log_losses(y: FloatArray, p: FloatArray) -> FloatArray:
    """Minus the log-likelihood of each row, shape (n,)."""
    p = np.clip(p, _LEAST, 1 - _LEAST)
    return np.asarray(-(y * np.log(p) + (1 - y) * np.log1p(-p)))


def ratio(a: FloatArray, b: FloatArray) -> FloatArray:
    """Divide; NaN where ``b`` is not above 0."""
    return np.divide(a, b, out=np.full_like(a, np.nan), where=b > 0)


def _sums_of(rows: IntArray, bounds: IntArray, n: int) -> csr_array:
    """Build the matrix that sums up weights of rows between bounds, shape (len(bounds) - 1, n)."""
    used = rows[: int(bounds[-1])]
    return csr_array((np.ones(len(used)), used, bounds), shape=(len(bounds) - 1, n))


def _dot(a: FloatArray, b: FloatArray) -> FloatArray:
    """Sum of products of each column."""
    return np.asarray(np.einsum("ij,ij->j", a, b))
