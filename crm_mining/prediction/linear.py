"""Linear candidates: for yes or no logistic regression, scorecard and support vector machine; for amounts four more."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
from scipy.special import expit
from sklearn.linear_model import ElasticNet, LinearRegression, Ridge

from crm_mining.common.arrays import FloatArray, IntArray
from crm_mining.prediction import encoding
from crm_mining.prediction.calibration import prior_log_odds
from crm_mining.prediction.folds import best_option
from crm_mining.prediction.models import (
    IDENTITY,
    LOG,
    LOG_ODDS,
    TERM_COLUMNS,
    Model,
    Training,
    amount_bounds,
    term_table,
)
from crm_mining.prediction.penalised import LOGISTIC, POISSON, SQUARED_HINGE, PenalisedFit

LOGISTIC_C = (0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 10.0)
SVM_C = (0.001, 0.01, 0.1)
RIDGE_ALPHA = (0.1, 1.0, 10.0, 100.0, 1000.0)
GLM_ALPHA = (1e-4, 1e-3, 1e-2, 1e-1)


def logistic_regression(data: Training) -> Model:
    """L2-penalised logistic regression on the linear terms, C by inner cross-validation; Wald intervals."""
    terms, x = data.matrix(encoding.LINEAR)
    return _logistic("logistic_regression", data, terms["term"].tolist(), x)


def scorecard(data: Training) -> Model:
    """Credit scorers' model: logistic regression on the weight of evidence of bins (Siddiqi 2006, *Scorecards*)."""
    terms, x = data.matrix(encoding.BINNED)
    evidence = bin_evidence(x, data.y)[0]
    feature = pd.factorize(terms["feature"])[0]
    onto = np.zeros((len(terms), int(feature.max(initial=-1)) + 1))
    onto[np.arange(len(terms)), feature] = evidence
    bare = _logistic("scorecard", data, [str(f) for f in terms["feature"].unique()], x @ onto)
    weights = {name: bare.terms[name].to_numpy()[feature] * evidence for name in list(TERM_COLUMNS)[1:]}
    low, high = np.sort([weights["interval_low"], weights["interval_high"]], axis=0)
    table = term_table(terms["term"], weights["coefficient"], low, high)
    return replace(bare, terms=table)


def linear_svm(data: Training) -> Model:
    """Linear support vector machine (squared hinge), C by inner cross-validation; calibration makes it log-odds."""
    terms, x = data.matrix(encoding.LINEAR)

    def fold(train: IntArray, test: IntArray) -> Callable[[float], float]:
        fit, seen, y = PenalisedFit(SQUARED_HINGE, x[train], data.y[train]), x[test], data.y[test]
        return lambda c: float(SQUARED_HINGE.value(fit.fit(1 / c, tolerance=1e-3).score(seen), y).mean())

    c = best_option(SVM_C, data, fold)
    model = PenalisedFit(SQUARED_HINGE, x, data.y).fit(1 / c, tolerance=1e-12)
    return Model("linear_svm", LOG_ODDS, model.intercept, term_table(terms["term"], model.coefficients))


def linear_regression(data: Training) -> Model:
    """Ordinary least squares on the amount itself."""
    terms, x = data.matrix((*encoding.LINEAR, "value"))
    model = LinearRegression().fit(x, data.y)
    return _amount("linear_regression", IDENTITY, data, terms["term"], x, model.coef_, float(model.intercept_), 0.0)


def ridge_regression(data: Training) -> Model:
    """Least squares with an L2 penalty, its strength by inner cross-validation."""
    terms, x = data.matrix((*encoding.LINEAR, "value"))

    def fold(train: IntArray, test: IntArray) -> Callable[[float], float]:
        own, seen = x[train], x[test]
        return lambda alpha: _squared(Ridge(alpha).fit(own, data.y[train]).predict(seen), data.y[test])

    alpha = best_option(RIDGE_ALPHA[::-1], data, fold)
    model = Ridge(alpha).fit(x, data.y)
    return _amount("ridge_regression", IDENTITY, data, terms["term"], x, model.coef_, float(model.intercept_), alpha)


def elastic_net(data: Training) -> Model:
    """Least squares with half L1, half L2 penalty: terms that are not informative get exactly 0. No intervals."""
    terms, x = data.matrix((*encoding.LINEAR, "value"))
    spread = float(data.y.std()) or 1.0

    def fold(train: IntArray, test: IntArray) -> Callable[[float], float]:
        net, own, seen = _net(), np.asfortranarray(x[train]), x[test]
        return lambda share: _squared(
            net.set_params(alpha=share * spread).fit(own, data.y[train]).predict(seen), data.y[test]
        )

    share = best_option((0.1, 0.03, 0.01, 0.003), data, fold)
    model = _net().set_params(alpha=share * spread).fit(x, data.y)
    table = term_table(terms["term"], model.coef_)
    return Model("elastic_net", IDENTITY, float(model.intercept_), table, bounds=amount_bounds(data.y))


def poisson_regression(data: Training) -> Model:
    """Log-linear model of the mean amount, by Poisson quasi-likelihood with an L2 penalty.

    Takes zeros and skewed amounts as they are and predicts the mean itself, so nothing need be transformed back
    (Santos Silva & Tenreyro 2006, *The log of gravity*). Without intervals, since the amounts are not Poisson.
    """
    terms, x = data.matrix(encoding.LINEAR)
    scale = float(data.y.mean())
    y = data.y / scale

    def fold(train: IntArray, test: IntArray) -> Callable[[float], float]:
        fit, seen = PenalisedFit(POISSON, x[train], y[train]), x[test]

        def loss(alpha: float) -> float:
            score = fit.fit(alpha * len(train), tolerance=1e-4).score(seen)
            return _squared(np.exp(np.minimum(score, np.log(y.max()))), y[test])

        return loss

    alpha = best_option(GLM_ALPHA[::-1], data, fold)
    model = PenalisedFit(POISSON, x, y).fit(alpha * len(y), tolerance=1e-12)
    table = term_table(terms["term"], model.coefficients)
    return Model("poisson_regression", LOG, model.intercept + float(np.log(scale)), table, bounds=amount_bounds(data.y))


def bin_evidence(x: FloatArray, y: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Weight of evidence of 0/1 columns: the log of the ratio of its shares among yes and among no.

    Parameters
    ----------
    x : array of shape (n, k)
        0/1 columns; others give numbers without meaning.
    y : array of shape (n,)
        0 or 1, both of them present.

    Returns
    -------
    evidence, error : arrays of shape (k,)
        Log-odds, shrunk towards 0 by one more row that is yes as often as all are, and the standard error.
    """
    prior = prior_log_odds(y)
    yes, no = x.T @ y + expit(prior), x.T @ (1 - y) + expit(-prior)
    with np.errstate(divide="ignore", invalid="ignore"):
        evidence = np.log(yes) - np.log(no) - prior
        error = np.sqrt(1 / yes + 1 / no)
    return np.where(np.isfinite(evidence), evidence, 0.0), np.where(np.isfinite(error), error, 0.0)


def _net() -> ElasticNet:
    return ElasticNet(l1_ratio=0.5, max_iter=5000, tol=1e-3, precompute=True, warm_start=True)


def _squared(predicted: FloatArray, y: FloatArray) -> float:
    return float(np.mean((predicted - y) ** 2))


def _logistic(name: str, data: Training, terms: list[str], x: FloatArray) -> Model:
    if x.shape[1] == 0:
        return Model(name, LOG_ODDS, prior_log_odds(data.y))

    def fold(train: IntArray, test: IntArray) -> Callable[[float], float]:
        fit, seen, y = PenalisedFit(LOGISTIC, x[train], data.y[train]), x[test], data.y[test]
        return lambda c: float(LOGISTIC.value(fit.fit(1 / c, tolerance=1e-3).score(seen), y).mean())

    c = best_option(LOGISTIC_C, data, fold)
    model = PenalisedFit(LOGISTIC, x, data.y).fit(1 / c, tolerance=1e-12)
    information = model.information(1 / c)
    error = np.sqrt(np.maximum(np.diag(np.linalg.pinv(information, hermitian=True)), 0))[:-1]
    w = model.coefficients
    return Model(name, LOG_ODDS, model.intercept, term_table(terms, w, w - 1.96 * error, w + 1.96 * error))


def _amount(
    name: str, score: str, data: Training, terms: pd.Series, x: FloatArray, w: FloatArray, b: float, alpha: float
) -> Model:
    """Linear model of an amount, with intervals that allow for unequal variances (sandwich, White 1980)."""
    design = np.column_stack([x, np.ones(len(x))])
    residual = data.y - x @ w - b
    penalty = np.diag(np.append(np.full(x.shape[1], alpha), 0.0))
    bread = np.linalg.pinv(design.T @ design + penalty, hermitian=True)
    meat = design.T @ (design * (residual**2)[:, None])
    error = 1.96 * np.sqrt(np.maximum(np.diag(bread @ meat @ bread), 0))[:-1]
    return Model(name, score, b, term_table(terms, w, w - error, w + error), bounds=amount_bounds(data.y))
