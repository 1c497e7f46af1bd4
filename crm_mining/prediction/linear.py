"""Linear candidates: for yes or no logistic regression, scorecard and support vector machine; for amounts four more."""

from dataclasses import replace

import numpy as np
import pandas as pd
from scipy.special import expit
from sklearn.linear_model import ElasticNet, LinearRegression, LogisticRegression, PoissonRegressor, Ridge
from sklearn.svm import LinearSVC

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

    def fit(c: float, rows: IntArray) -> tuple[FloatArray, float]:
        model = LinearSVC(C=c, dual=False, max_iter=2000, random_state=data.seed).fit(x[rows], data.y[rows])
        return model.coef_[0], float(model.intercept_[0])

    def loss(c: float, train: IntArray, test: IntArray) -> float:
        w, b = fit(c, train)
        return float(np.mean(np.maximum(0, 1 - (2 * data.y[test] - 1) * (x[test] @ w + b)) ** 2))

    w, b = fit(best_option(SVM_C, data, loss), np.arange(len(x)))
    return Model("linear_svm", LOG_ODDS, b, term_table(terms["term"], w))


def linear_regression(data: Training) -> Model:
    """Ordinary least squares on the amount itself."""
    terms, x = data.matrix((*encoding.LINEAR, "value"))
    model = LinearRegression().fit(x, data.y)
    return _amount("linear_regression", IDENTITY, data, terms["term"], x, model.coef_, float(model.intercept_), 0.0)


def ridge_regression(data: Training) -> Model:
    """Least squares with an L2 penalty, its strength by inner cross-validation."""
    terms, x = data.matrix((*encoding.LINEAR, "value"))

    def loss(alpha: float, train: IntArray, test: IntArray) -> float:
        return _squared(Ridge(alpha).fit(x[train], data.y[train]).predict(x[test]), data.y[test])

    alpha = best_option(RIDGE_ALPHA[::-1], data, loss)
    model = Ridge(alpha).fit(x, data.y)
    return _amount("ridge_regression", IDENTITY, data, terms["term"], x, model.coef_, float(model.intercept_), alpha)


def elastic_net(data: Training) -> Model:
    """Least squares with half L1, half L2 penalty: terms that are not informative get exactly 0. No intervals."""
    terms, x = data.matrix((*encoding.LINEAR, "value"))
    spread = float(data.y.std()) or 1.0

    def fit(share: float, rows: IntArray) -> ElasticNet:
        return ElasticNet(alpha=share * spread, l1_ratio=0.5, max_iter=5000, tol=1e-3).fit(x[rows], data.y[rows])

    def loss(share: float, train: IntArray, test: IntArray) -> float:
        return _squared(fit(share, train).predict(x[test]), data.y[test])

    model = fit(best_option((0.1, 0.03, 0.01, 0.003), data, loss), np.arange(len(x)))
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

    def fit(alpha: float, rows: IntArray) -> PoissonRegressor:
        return PoissonRegressor(alpha=alpha, solver="newton-cholesky", max_iter=200).fit(x[rows], y[rows])

    def loss(alpha: float, train: IntArray, test: IntArray) -> float:
        return _squared(np.minimum(fit(alpha, train).predict(x[test]), y.max()), y[test])

    model = fit(best_option(GLM_ALPHA[::-1], data, loss), np.arange(len(x)))
    table = term_table(terms["term"], model.coef_)
    intercept = float(model.intercept_) + float(np.log(scale))
    return Model("poisson_regression", LOG, intercept, table, bounds=amount_bounds(data.y))


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


def _squared(predicted: FloatArray, y: FloatArray) -> float:
    return float(np.mean((predicted - y) ** 2))


def _logistic(name: str, data: Training, terms: list[str], x: FloatArray) -> Model:
    if x.shape[1] == 0:
        return Model(name, LOG_ODDS, prior_log_odds(data.y))

    def fit(c: float, rows: IntArray, tol: float) -> LogisticRegression:
        return LogisticRegression(C=c, solver="newton-cholesky", max_iter=200, tol=tol).fit(x[rows], data.y[rows])

    def loss(c: float, train: IntArray, test: IntArray) -> float:
        s = fit(c, train, 1e-3).decision_function(x[test])
        return float(np.mean(np.logaddexp(0, s) - data.y[test] * s))

    c = best_option(LOGISTIC_C, data, loss)
    model = fit(c, np.arange(len(x)), 1e-8)
    p = expit(model.decision_function(x))
    design = np.column_stack([x, np.ones(len(x))])
    penalty = np.diag(np.append(np.full(x.shape[1], 1 / c), 0.0))
    information = design.T @ (design * (p * (1 - p))[:, None]) + penalty
    error = np.sqrt(np.maximum(np.diag(np.linalg.pinv(information, hermitian=True)), 0))[:-1]
    w = model.coef_[0]
    return Model(name, LOG_ODDS, float(model.intercept_[0]), term_table(terms, w, w - 1.96 * error, w + 1.96 * error))


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
