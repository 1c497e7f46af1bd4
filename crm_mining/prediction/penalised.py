"""Linear models with an L2 penalty, fitted under one penalty after another.

The objective is ``sum(loss(b + x w, y)) + penalty / 2 * |w|^2``, minimised by Newton's method with step halving. A new
penalty begins where the last one ended, and the curvature of the loss, which is what costs, is kept as long as steps
on it converge quickly (the chord, or Shamanskii, method: Kelley 1995, *Iterative Methods for Linear and Nonlinear
Equations*, ch. 5.4).
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.linalg import cho_factor, cho_solve
from scipy.special import expit

from crm_mining.common.arrays import FloatArray

#: Curvature is computed anew where a step left more than this share of the gradient.
SLOW = 0.2
MAX_STEPS = 200


@dataclass(frozen=True)
class Loss:
    """A convex loss of a linear score.

    Parameters
    ----------
    value, slope, curvature : callable
        Take score and outcome, shape (n,) both, and give the loss of each row and its first two derivatives by the
        score.
    """

    value: Callable[[FloatArray, FloatArray], FloatArray]
    slope: Callable[[FloatArray, FloatArray], FloatArray]
    curvature: Callable[[FloatArray, FloatArray], FloatArray]


def _margin(s: FloatArray, y: FloatArray) -> FloatArray:
    return np.maximum(1 - (2 * y - 1) * s, 0.0)


def _variance(s: FloatArray, y: FloatArray) -> FloatArray:
    p = expit(s)
    return np.asarray(p * (1 - p))


#: Minus the log-likelihood of yes and no (0 or 1).
LOGISTIC = Loss(lambda s, y: np.logaddexp(0, s) - y * s, lambda s, y: expit(s) - y, _variance)
#: Squared hinge loss of yes and no, by Newton's method on the primal (Chapelle 2007, *Training a support vector machine
#: in the primal*).
SQUARED_HINGE = Loss(
    lambda s, y: _margin(s, y) ** 2,
    lambda s, y: -2 * (2 * y - 1) * _margin(s, y),
    lambda s, y: np.where(_margin(s, y) > 0, 2.0, 0.0),
)
#: Minus the Poisson quasi-log-likelihood of an amount whose logarithm of the mean is the score.
POISSON = Loss(lambda s, y: np.exp(s) - y * s, lambda s, y: np.exp(s) - y, lambda s, y: np.exp(s))


class PenalisedFit:
    """Coefficients of one table of terms, under a penalty that may change.

    Parameters
    ----------
    loss : Loss
        What is minimised.
    x : array of shape (n, k)
        Terms.
    y : array of shape (n,)
        Outcomes.
    """

    def __init__(self, loss: Loss, x: FloatArray, y: FloatArray) -> None:
        self._loss, self._y = loss, y
        self._design = np.column_stack([x, np.ones(len(x))])
        self._weights = np.zeros(x.shape[1] + 1)
        self._curvature: FloatArray | None = None

    @property
    def coefficients(self) -> FloatArray:
        """Weights of the terms, shape (k,)."""
        return self._weights[:-1]

    @property
    def intercept(self) -> float:
        """Constant of the score."""
        return float(self._weights[-1])

    def score(self, x: FloatArray) -> FloatArray:
        """Score of rows of terms, shape (n,)."""
        return x @ self.coefficients + self.intercept

    def fit(self, penalty: float, *, tolerance: float) -> "PenalisedFit":
        """Fit, from where the last fit ended.

        Parameters
        ----------
        penalty : float
            Above 0. The intercept is not penalised.
        tolerance : float
            The fit has converged when no component of the gradient exceeds it, per row.

        Returns
        -------
        PenalisedFit
            Itself.
        """
        weight_of = np.append(np.full(len(self._weights) - 1, penalty), 0.0)
        score = self._design @ self._weights
        before, factor = np.inf, None
        for _ in range(MAX_STEPS):
            gradient = self._design.T @ self._loss.slope(score, self._y) + weight_of * self._weights
            size = float(np.abs(gradient).max())
            if size <= tolerance * len(self._y):
                break
            if self._curvature is None or size > SLOW * before:
                self._curvature, factor = self._curve(score), None
            if factor is None:
                factor = cho_factor(self._curvature + np.diag(weight_of), check_finite=False)
            step = -cho_solve(factor, gradient, check_finite=False)
            moved = self._halve(score, step, weight_of)
            if moved is None:
                break
            before, score = size, moved
        return self

    def information(self, penalty: float) -> FloatArray:
        """Second derivatives of the objective at the fit, terms and intercept, shape (k + 1, k + 1)."""
        weight_of = np.append(np.full(len(self._weights) - 1, penalty), 0.0)
        return self._curve(self._design @ self._weights) + np.diag(weight_of)

    def _curve(self, score: FloatArray) -> FloatArray:
        rooted = self._design * np.sqrt(self._loss.curvature(score, self._y))[:, None]
        found = np.asarray(rooted.T @ rooted)
        found[-1, -1] += 1e-10 * len(score)
        return found

    def _halve(self, score: FloatArray, step: FloatArray, weight_of: FloatArray) -> FloatArray | None:
        """Go along the step as far as the objective falls, and give the new score; None where it does not."""

        def objective(s: FloatArray, w: FloatArray) -> float:
            with np.errstate(over="ignore", invalid="ignore"):
                return float(self._loss.value(s, self._y).sum() + (weight_of * w * w).sum() / 2)

        start, along = objective(score, self._weights), self._design @ step
        for _ in range(40):
            weights, moved = self._weights + step, score + along
            if objective(moved, weights) <= start + 1e-12 * abs(start):
                self._weights = weights
                return moved
            step, along = step / 2, along / 2
        return None
