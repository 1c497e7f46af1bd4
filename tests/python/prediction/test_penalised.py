"""Penalised fits: the optimum of scikit-learn and scipy, whatever the path that led there."""

import numpy as np
import pytest
from scipy.optimize import minimize
from sklearn.linear_model import LogisticRegression, PoissonRegressor

from crm_mining.common.arrays import FloatArray
from crm_mining.prediction.penalised import LOGISTIC, POISSON, SQUARED_HINGE, Loss, PenalisedFit


@pytest.fixture(scope="module")
def rows() -> tuple[FloatArray, FloatArray, FloatArray]:
    rng = np.random.default_rng(4)
    x = rng.normal(size=(600, 8))
    x[:, 7] = x[:, 0] + 0.01 * x[:, 1]
    s = x @ np.array([1, -0.5, 0.2, 0, 0, 0.4, -1, 0.3]) - 0.5
    return x, (rng.random(600) < 1 / (1 + np.exp(-s))).astype("float64"), rng.poisson(np.exp(s / 2)) / 1.0


def test_logistic_and_poisson_are_those_of_scikit_learn(rows: tuple[FloatArray, ...]) -> None:
    x, y, amount = rows
    fit = PenalisedFit(LOGISTIC, x, y)
    for c in (0.01, 10.0, 0.1):
        fit.fit(1 / c, tolerance=1e-10)
        reference = LogisticRegression(C=c, solver="newton-cholesky", tol=1e-12, max_iter=200).fit(x, y)
        assert np.abs(fit.coefficients - reference.coef_[0]).max() < 1e-6
        assert fit.intercept == pytest.approx(reference.intercept_[0], abs=1e-6)
    fit = PenalisedFit(POISSON, x, amount).fit(0.01 * len(x), tolerance=1e-10)
    poisson = PoissonRegressor(alpha=0.01, solver="newton-cholesky", tol=1e-12, max_iter=200).fit(x, amount)
    assert np.abs(fit.coefficients - poisson.coef_).max() < 1e-6


@pytest.mark.parametrize("loss", [LOGISTIC, SQUARED_HINGE, POISSON])
def test_a_fit_is_the_minimum_and_does_not_depend_on_the_path(rows: tuple[FloatArray, ...], loss: Loss) -> None:
    x, y, amount = rows
    outcome = amount if loss is POISSON else y
    warm = PenalisedFit(loss, x, outcome)
    for penalty in (300.0, 30.0, 3.0):
        warm.fit(penalty, tolerance=1e-9)
    cold = PenalisedFit(loss, x, outcome).fit(3.0, tolerance=1e-9)
    assert np.abs(warm.coefficients - cold.coefficients).max() < 1e-5

    def objective(w: FloatArray) -> float:
        return float(loss.value(x @ w[:-1] + w[-1], outcome).sum() + 1.5 * (w[:-1] ** 2).sum())

    least = minimize(objective, np.zeros(9), method="BFGS").fun
    assert objective(np.append(cold.coefficients, cold.intercept)) <= least + 1e-6


def test_separated_classes_stay_finite(rows: tuple[FloatArray, ...]) -> None:
    x = rows[0]
    fit = PenalisedFit(LOGISTIC, x, (x[:, 0] > 0).astype("float64")).fit(0.1, tolerance=1e-8)
    assert np.isfinite(fit.coefficients).all()
