"""Candidate models, each stored as a table of coefficients, of tree nodes, or of both.

Whatever was fitted, the stored form is one: a raw score ``s = intercept + sum(coefficient * term) + sum(leaf values)``,
with the terms of :mod:`crm_mining.prediction.encoding` and one leaf for each stored tree. For yes/no targets ``s`` is
in log-odds, or a probability that its logit turns into log-odds (forest), and the calibrated probability is
``1 / (1 + exp(-(a + b * log_odds)))``. For amounts the prediction is ``s`` or ``exp(s)``, held within the amounts seen.
scikit-learn fits; nothing of it is kept, so no pickle is ever written or read.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import expit, logit
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor, RandomForestClassifier
from sklearn.linear_model import ElasticNet, LinearRegression, LogisticRegression, PoissonRegressor, Ridge
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier

from crm_mining.common.arrays import FloatArray, IntArray, SingleArray
from crm_mining.prediction import encoding
from crm_mining.prediction.encoding import Encoding

TERM_COLUMNS = {"term": "str", "coefficient": "float64", "interval_low": "float64", "interval_high": "float64"}
NODE_COLUMNS = {
    "tree": "int64", "node": "int64", "feature": "str", "level": "str", "threshold": "float64",
    "is_missing_left": "bool", "left_node": "int64", "right_node": "int64", "value": "float64", "n_rows": "float64",
}  # fmt: skip
LOG_ODDS, PROBABILITY, IDENTITY, LOG = "log_odds", "probability", "identity", "log"
#: Probabilities never come nearer to 0 and 1 than this before their logit is taken.
LEAST = 1e-4
#: Rows that go down the trees at a time.
_WALK_ROWS = 2000
LOGISTIC_C = (0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 10.0)
#: Models whose log-odds are probabilities' already: their calibration is drawn to no change (see :func:`calibrate`).
CALIBRATED = ("logistic_regression", "scorecard", "random_forest", "boosting", "average")
#: How far intercept and slope of the calibration of such models are from 0 and 1, before anything is seen.
INTERCEPT_SPREAD, SLOPE_SPREAD = 0.2, 0.1
#: Rows that the variance common to both classes counts for in Gaussian naive Bayes.
COMMON_ROWS = 10_000
SVM_C = (0.001, 0.01, 0.1)
RIDGE_ALPHA = (0.1, 1.0, 10.0, 100.0, 1000.0)
GLM_ALPHA = (1e-4, 1e-3, 1e-2, 1e-1)


@dataclass(frozen=True)
class Model:
    """A fitted model in its stored form.

    Parameters
    ----------
    name : str
        Name of the candidate.
    score : str
        What the raw score is: ``log_odds`` or ``probability`` of yes; ``identity`` or ``log`` for an amount.
    intercept : float
        Constant of the raw score.
    terms : DataFrame
        Columns of :data:`TERM_COLUMNS`: coefficients with 95 % intervals, null where the method gives none.
    nodes : DataFrame
        Columns of :data:`NODE_COLUMNS`, one row per node. A customer goes left when the feature is at most
        ``threshold`` (``level`` null) or is not ``level``; when it is null, as ``is_missing_left`` says. A leaf has
        the feature null and ``left_node`` -1. Numbers are compared as single precision floats.
    calibration : tuple of float
        ``(a, b)`` of the calibrated log-odds ``a + b * log_odds``.
    bounds : tuple of float
        Least and largest prediction of an amount.
    threshold : float
        A probability at or above it counts as yes in the confusion matrix.
    """

    name: str
    score: str
    intercept: float
    terms: pd.DataFrame = field(default_factory=lambda: _empty(TERM_COLUMNS))
    nodes: pd.DataFrame = field(default_factory=lambda: _empty(NODE_COLUMNS))
    calibration: tuple[float, float] = (0.0, 1.0)
    bounds: tuple[float, float] = (-np.inf, np.inf)
    threshold: float = 0.5

    def raw(self, encoded: Encoding, frame: pd.DataFrame) -> FloatArray:
        """Raw score, shape (n_rows,)."""
        used = self.terms["term"].tolist()
        found = np.full(len(frame), self.intercept)
        if used:
            found += weighted_sum(encoded.matrix(frame, used), self.terms["coefficient"].to_numpy())
        if len(self.nodes):
            found += walk(self.nodes, encoded, frame)[0]
        return found

    def log_odds(self, raw: FloatArray) -> FloatArray:
        """Uncalibrated log-odds from raw scores."""
        return logit(np.clip(raw, LEAST, 1 - LEAST)) if self.score == PROBABILITY else raw

    def prediction(self, raw: FloatArray) -> FloatArray:
        """Calibrated probability, or amount, from raw scores."""
        if self.score in (LOG_ODDS, PROBABILITY):
            return np.asarray(expit(self.calibration[0] + self.calibration[1] * self.log_odds(raw)))
        amount = np.exp(np.minimum(raw, 700.0)) if self.score == LOG else raw
        return np.clip(amount, *self.bounds)


@dataclass
class Training:
    """Training rows of one fit: what a candidate sees.

    Parameters
    ----------
    frame : DataFrame
        The rows.
    y : FloatArray
        Shape (n,): 0 or 1, or an amount.
    encoded : Encoding
        Terms learned from these rows alone.
    groups : IntArray
        Shape (n,): rows of one customer have one number; they are never split between inner folds.
    seed : int
        Of everything random.
    """

    frame: pd.DataFrame
    y: FloatArray
    encoded: Encoding
    groups: IntArray
    seed: int
    fitted: dict[str, Model] = field(default_factory=dict)
    _cache: dict[tuple[str, ...], tuple[pd.DataFrame, FloatArray]] = field(default_factory=dict)

    def matrix(self, families: Sequence[str]) -> tuple[pd.DataFrame, FloatArray]:
        """Terms of the families and their values, computed once."""
        key = tuple(families)
        if key not in self._cache:
            terms = self.encoded.terms(families)
            self._cache[key] = (terms, self.encoded.matrix(self.frame, terms["term"].tolist()))
        return self._cache[key]


Candidate = Callable[[Training], Model]


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
    table = _terms(terms["term"], weights["coefficient"], low, high)
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

    w, b = fit(_best(SVM_C, data, loss), np.arange(len(x)))
    return Model("linear_svm", LOG_ODDS, b, _terms(terms["term"], w))


def categorical_naive_bayes(data: Training) -> Model:
    """Naive Bayes over quantile bins and levels: the evidence of each adds up, as if features were independent."""
    terms, x = data.matrix(encoding.BINNED)
    evidence, error = bin_evidence(x, data.y)
    table = _terms(terms["term"], evidence, evidence - 1.96 * error, evidence + 1.96 * error)
    return Model("categorical_naive_bayes", LOG_ODDS, _prior(data.y), table)


def gaussian_naive_bayes(data: Training) -> Model:
    """Naive Bayes with a normal density per class for each normalised number, and the shares of the levels.

    The two variances of a number are drawn to their common one: what is 0 for nearly everybody has a variance that
    hangs on a few, and would outweigh everything else.
    """
    terms, x = data.matrix(("normal", "square", "missing", "level"))
    w, _ = bin_evidence(x, data.y)
    intercept = _prior(data.y)
    family = terms["family"].to_numpy()
    yes = data.y == 1
    # log N(z; m1, v1) - log N(z; m0, v0) is a constant, a multiple of z and one of z squared.
    for i, square in zip(np.flatnonzero(family == "normal"), np.flatnonzero(family == "square"), strict=True):
        (m1, m0), within = (x[yes, i].mean(), x[~yes, i].mean()), np.array([x[yes, i].var(), x[~yes, i].var()])
        sizes = np.array([yes.sum(), (~yes).sum()])
        v1, v0 = (within * sizes + COMMON_ROWS * (within @ sizes / len(x))) / (sizes + COMMON_ROWS) + 0.01
        w[i], w[square] = m1 / v1 - m0 / v0, (1 / v0 - 1 / v1) / 2
        intercept += (np.log(v0 / v1) + m0**2 / v0 - m1**2 / v1) / 2
    return Model("gaussian_naive_bayes", LOG_ODDS, float(intercept), _terms(terms["term"], w))


def decision_tree(data: Training) -> Model:
    """One tree of at most 12 leaves, each of 1 % of the rows or more: readable rules."""
    terms, x = _tree_matrix(data)
    least = max(20, len(x) // 100)
    tree = DecisionTreeClassifier(max_leaf_nodes=12, max_depth=5, min_samples_leaf=least, random_state=data.seed)
    nodes = _node_table(terms, [_sklearn_tree(tree.fit(x, data.y).tree_)])
    # Laplace: a leaf without a yes is not impossible.
    p = (nodes["value"] * nodes["n_rows"] + data.y.mean()) / (nodes["n_rows"] + 1)
    return Model("decision_tree", LOG_ODDS, 0.0, nodes=nodes.assign(value=logit(p.clip(1e-9, 1 - 1e-9))))


def random_forest(data: Training) -> Model:
    """Forest of 100 trees of at most 64 leaves on samples of at most 20,000 rows (Breiman 2001)."""
    terms, x = _tree_matrix(data)
    n_trees = 100
    forest = RandomForestClassifier(
        n_trees, max_leaf_nodes=64, max_depth=12, min_samples_leaf=max(5, len(x) // 1000), max_features="sqrt",
        max_samples=min(len(x), 20_000), random_state=data.seed, n_jobs=1,
    ).fit(x, data.y)  # fmt: skip
    nodes = _node_table(terms, [_sklearn_tree(tree.tree_) for tree in forest.estimators_])
    return Model("random_forest", PROBABILITY, 0.0, nodes=nodes.assign(value=nodes["value"] / n_trees))


def boosting(data: Training) -> Model:
    """Histogram gradient boosting of small trees, stopped when a held-out seventh of the rows no longer gains."""
    terms, x = _tree_matrix(data)
    model = HistGradientBoostingClassifier(**_boosting_settings(data)).fit(x, data.y)
    return Model("boosting", LOG_ODDS, *_boosted(model, terms))


def average(data: Training) -> Model:
    """Mean of the log-odds of logistic regression and boosting."""
    both = [data.fitted.get(f.__name__) or f(data) for f in (logistic_regression, boosting)]
    terms = both[0].terms.assign(
        coefficient=both[0].terms["coefficient"] / 2, interval_low=np.nan, interval_high=np.nan
    )
    nodes = both[1].nodes.assign(value=both[1].nodes["value"] / 2)
    return Model("average", LOG_ODDS, (both[0].intercept + both[1].intercept) / 2, terms, nodes)


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

    alpha = _best(RIDGE_ALPHA[::-1], data, loss)
    model = Ridge(alpha).fit(x, data.y)
    return _amount("ridge_regression", IDENTITY, data, terms["term"], x, model.coef_, float(model.intercept_), alpha)


def elastic_net(data: Training) -> Model:
    """Least squares with half L1, half L2 penalty: terms that tell nothing get exactly 0. No intervals."""
    terms, x = data.matrix((*encoding.LINEAR, "value"))
    spread = float(data.y.std()) or 1.0

    def fit(share: float, rows: IntArray) -> ElasticNet:
        return ElasticNet(alpha=share * spread, l1_ratio=0.5, max_iter=5000, tol=1e-3).fit(x[rows], data.y[rows])

    def loss(share: float, train: IntArray, test: IntArray) -> float:
        return _squared(fit(share, train).predict(x[test]), data.y[test])

    model = fit(_best((0.1, 0.03, 0.01, 0.003), data, loss), np.arange(len(x)))
    table = _terms(terms["term"], model.coef_)
    return Model("elastic_net", IDENTITY, float(model.intercept_), table, bounds=_bounds(data.y))


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

    model = fit(_best(GLM_ALPHA[::-1], data, loss), np.arange(len(x)))
    table = _terms(terms["term"], model.coef_)
    intercept = float(model.intercept_) + float(np.log(scale))
    return Model("poisson_regression", LOG, intercept, table, bounds=_bounds(data.y))


def boosting_regression(data: Training) -> Model:
    """Gradient boosting of the mean amount: Poisson quasi-likelihood where no amount is negative, else squares."""
    terms, x = _tree_matrix(data)
    is_positive = bool(data.y.min() >= 0 and data.y.sum() > 0)
    loss = "poisson" if is_positive else "squared_error"
    model = HistGradientBoostingRegressor(loss=loss, **_boosting_settings(data)).fit(x, data.y)
    intercept, terms_table, nodes = _boosted(model, terms)
    return Model("boosting", LOG if is_positive else IDENTITY, intercept, terms_table, nodes, bounds=_bounds(data.y))


#: From the simplest to the least simple; the order decides between models that predict about as well.
CLASSIFIERS: dict[str, Candidate] = {
    "logistic_regression": logistic_regression,
    "scorecard": scorecard,
    "categorical_naive_bayes": categorical_naive_bayes,
    "gaussian_naive_bayes": gaussian_naive_bayes,
    "linear_svm": linear_svm,
    "decision_tree": decision_tree,
    "random_forest": random_forest,
    "boosting": boosting,
    "average": average,
}
REGRESSORS: dict[str, Candidate] = {
    "linear_regression": linear_regression,
    "ridge_regression": ridge_regression,
    "elastic_net": elastic_net,
    "poisson_regression": poisson_regression,
    "boosting": boosting_regression,
}


def bin_evidence(x: FloatArray, y: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Weight of evidence of 0/1 columns: the log of how much likelier each is among yes than among no.

    Parameters
    ----------
    x : array of shape (n, k)
        0/1 columns; others give numbers without meaning.
    y : array of shape (n,)
        0 or 1, both of them present.

    Returns
    -------
    evidence, error : arrays of shape (k,)
        Log-odds, drawn to 0 by one row more that is yes as often as all are, and the standard error.
    """
    prior = _prior(y)
    yes, no = x.T @ y + expit(prior), x.T @ (1 - y) + expit(-prior)
    with np.errstate(divide="ignore", invalid="ignore"):
        evidence = np.log(yes) - np.log(no) - prior
        error = np.sqrt(1 / yes + 1 / no)
    return np.where(np.isfinite(evidence), evidence, 0.0), np.where(np.isfinite(error), error, 0.0)


def platt(log_odds: FloatArray, y: FloatArray) -> tuple[float, float]:
    """Calibrate log-odds by a straight line (Platt 1999), which keeps the order and adds no ties as isotonic does.

    Parameters
    ----------
    log_odds : array of shape (n,)
        Of rows that the model was not fitted on.
    y : array of shape (n,)
        0 or 1.

    Returns
    -------
    (a, b) : tuple of float
        Calibrated log-odds are ``a + b * log_odds``; ``b`` is never negative, and (prior log-odds, 0) where the scores
        rank no better than chance.
    """
    prior = _prior(y)
    spread = float(log_odds.std()) if len(log_odds) else 0.0
    if spread < 1e-12 or len(np.unique(y)) < 2:
        return prior, 0.0
    z = (log_odds - log_odds.mean()) / spread
    a, b = prior, 0.0
    for _ in range(50):
        p = expit(a + b * z)
        w = np.maximum(p * (1 - p), 1e-10)
        # A hair of a penalty, so that scores that part the classes wholly do not drive b without end.
        gradient = np.array([np.sum(y - p), np.sum((y - p) * z) - 0.1 * b])
        hessian = np.array([[w.sum(), (w * z).sum()], [(w * z).sum(), (w * z * z).sum() + 0.1]])
        step = np.linalg.solve(hessian, gradient)
        step /= max(1.0, float(np.abs(step).max()))
        a, b = a + step[0], b + step[1]
        if np.abs(step).max() < 1e-12:
            break
    if b <= 0:
        return prior, 0.0
    return float(a - b * log_odds.mean() / spread), float(b / spread)


def calibrate(name: str, log_odds: FloatArray, y: FloatArray) -> tuple[float, float]:
    """Calibrate a model's log-odds by a straight line.

    The line of :func:`platt`, but for models of :data:`CALIBRATED` drawn to no change: they were fitted to tell
    probabilities, to fewer rows than the final model is, and the next window differs from the one that the line is
    learned from. How strongly was chosen on worlds of crm_mining.synth that no figure is given of.

    Parameters
    ----------
    name : str
        Of the model.
    log_odds, y : array of shape (n,)
        As for :func:`platt`.

    Returns
    -------
    (a, b) : tuple of float
        As of :func:`platt`.
    """
    if name not in CALIBRATED or len(np.unique(y)) < 2:
        return platt(log_odds, y)
    a, b = 0.0, 1.0
    pull_a, pull_b = INTERCEPT_SPREAD**-2, SLOPE_SPREAD**-2
    for _ in range(50):
        p = expit(a + b * log_odds)
        w = p * (1 - p)
        gradient = np.array([np.sum(y - p) - pull_a * a, np.sum((y - p) * log_odds) - pull_b * (b - 1)])
        cross = (w * log_odds).sum()
        hessian = np.array([[w.sum() + pull_a, cross], [cross, (w * log_odds**2).sum() + pull_b]])
        step = np.linalg.solve(hessian, gradient)
        step /= max(1.0, float(np.abs(step).max()))
        a, b = a + step[0], b + step[1]
        if np.abs(step).max() < 1e-12:
            break
    return (float(a), float(b)) if b > 0 else (_prior(y), 0.0)


def walk(
    nodes: pd.DataFrame, encoded: Encoding, frame: pd.DataFrame, *, by_feature: Sequence[str] | None = None
) -> tuple[FloatArray, FloatArray]:
    """Send rows down the trees.

    Parameters
    ----------
    nodes : DataFrame
        Columns of :data:`NODE_COLUMNS`.
    encoded : Encoding
        Terms.
    frame : DataFrame
        Rows.
    by_feature : sequence of str, optional
        Features to attribute the sum to.

    Returns
    -------
    total, shares : arrays of shape (n,) and (n, n_features)
        Sum of the leaf values, and how much of it the splits on each feature moved (Saabas 2014): the change of the
        value from node to child. The root values make up the difference.
    """
    columns = encoded.terms(encoding.TREE)
    x = tree_values(encoded, columns, frame)
    column_of = {t: i for i, t in enumerate(columns["term"])}
    inner = nodes["left_node"].to_numpy() >= 0
    names = [
        f"{f} as it is" if pd.isna(v) else _level_term(f, v)
        for f, v in zip(nodes["feature"][inner], nodes["level"][inner], strict=True)
    ]
    column = np.zeros(len(nodes), dtype="int64")
    column[inner] = [column_of[name] for name in names]
    place = {f: i for i, f in enumerate(by_feature or [])}
    slot_of_column = np.array([place.get(str(feature), 0) for feature in columns["feature"]], dtype="int64")
    slot = slot_of_column[column]
    threshold, missing_left = nodes["threshold"].to_numpy(), nodes["is_missing_left"].to_numpy()
    left, right, value = (nodes[name].to_numpy() for name in ("left_node", "right_node", "value"))
    starts = np.flatnonzero(np.r_[True, np.diff(nodes["tree"].to_numpy()) != 0])
    total, shares = np.zeros(len(x)), np.zeros((len(x), len(place)))
    # All trees at once: each pair of a row and a tree goes one level down per round, until it stands in a leaf.
    first = np.repeat(starts, np.diff(np.append(starts, len(nodes))))
    next_left, next_right = first + left, first + right
    for begin in range(0, len(x), _WALK_ROWS):
        part = x[begin : begin + _WALK_ROWS]
        at = np.tile(starts, (len(part), 1))
        rows, trees = np.nonzero(inner[at])
        while len(rows):
            here = at[rows, trees]
            v = part[rows, column[here]]
            goes_left = np.where(np.isnan(v), missing_left[here], v <= threshold[here])
            there = np.where(goes_left, next_left[here], next_right[here])
            at[rows, trees] = there
            if by_feature is not None:
                np.add.at(shares, (begin + rows, slot[here]), value[there] - value[here])
            goes_on = inner[there]
            rows, trees = rows[goes_on], trees[goes_on]
        total[begin : begin + len(part)] = value[at].sum(axis=1)
    return total, shares


def weighted_sum(x: FloatArray, weights: FloatArray) -> FloatArray:
    """Sum up columns times their weights, shape (n,).

    Column by column: in the last digit a matrix product hangs on which other rows there are and where they lie in
    memory, and a customer's score must not.
    """
    total = np.zeros(len(x))
    for column, weight in zip(x.T, weights.tolist(), strict=True):
        total += column * weight
    return total


def contributions(model: Model, encoded: Encoding, frame: pd.DataFrame) -> tuple[FloatArray, list[str]]:
    """Attribute raw scores to features.

    Returns
    -------
    by_feature : array of shape (n, n_features)
        How far each feature moves the raw score from that of the average customer.
    names : list of str
        The features.
    """
    table = with_features(model, encoded)
    names = list(dict.fromkeys([*table["feature"], *model.nodes["feature"].dropna()]))
    found = np.zeros((len(frame), len(names)))
    if len(table):
        terms = table["term"].tolist()
        means = np.array([encoded.typical[t] for t in terms])
        moved = (encoded.matrix(frame, terms) - means) * table["coefficient"].to_numpy()
        for i, feature in enumerate(table["feature"]):
            found[:, names.index(feature)] += moved[:, i]
    if len(model.nodes):
        found += walk(model.nodes, encoded, frame, by_feature=names)[1]
    return found, names


def with_features(model: Model, encoded: Encoding) -> pd.DataFrame:
    """Add ``feature`` and ``family`` to the terms of a model."""
    known = encoded.table[["term", "feature", "family"]].drop_duplicates("term")
    return model.terms.merge(known, on="term", how="left", sort=False)


def tree_values(encoded: Encoding, columns: pd.DataFrame, frame: pd.DataFrame) -> SingleArray:
    """Numbers as they are and levels as 0/1, in single precision, shape (n, n_columns); missing is NaN."""
    x = encoded.matrix(frame, columns["term"].tolist())
    return x.astype("float32")


def _empty(columns: dict[str, str]) -> pd.DataFrame:
    return pd.DataFrame({name: pd.Series(dtype=kind) for name, kind in columns.items()})


def _terms(
    names: Sequence[str] | pd.Series, w: FloatArray, low: FloatArray | None = None, high: FloatArray | None = None
) -> pd.DataFrame:
    none = np.full(len(w), np.nan)
    columns = (list(names), w, none if low is None else low, none if high is None else high)
    return pd.DataFrame(dict(zip(TERM_COLUMNS, columns, strict=True))).astype(TERM_COLUMNS)


def _prior(y: FloatArray) -> float:
    return float(np.log(y.sum() + 0.5) - np.log((1 - y).sum() + 0.5)) if len(y) else 0.0


def _squared(predicted: FloatArray, y: FloatArray) -> float:
    return float(np.mean((predicted - y) ** 2))


def _bounds(y: FloatArray) -> tuple[float, float]:
    return float(y.min()), float(y.max())


def fold_ids(y: FloatArray, groups: IntArray, n_folds: int, seed: int) -> IntArray:
    """Deal groups of rows out to folds, with about the same share of yes (or of each tenth of amounts) in each.

    Returns
    -------
    IntArray
        Shape (n,): 0 to ``n_folds - 1``; rows of one group are in one fold.
    """
    table = pd.DataFrame({"group": groups, "y": y}).groupby("group", sort=True)["y"].mean()
    ranks = table.rank(method="dense" if table.nunique() <= 10 else "average", pct=True)
    stratum = (ranks * 10).round().to_numpy()
    shuffled = np.random.default_rng(seed).permutation(len(table))
    order = shuffled[np.argsort(stratum[shuffled], kind="stable")]
    fold = np.empty(len(table), dtype="int64")
    fold[order] = np.arange(len(table)) % n_folds
    return fold[np.searchsorted(table.index.to_numpy(), groups)]


def _best(options: Sequence[float], data: Training, loss: Callable[[float, IntArray, IntArray], float]) -> float:
    """Choose the option of least mean loss in three inner folds, climbing down from the middle one."""
    fold = fold_ids(data.y, data.groups, 3, data.seed)
    parts = [(np.flatnonzero(fold != k), np.flatnonzero(fold == k)) for k in range(3)]
    if len(data.y) < 30 or any(len(np.unique(data.y[train])) < 2 or not len(test) for train, test in parts):
        return options[0]
    # From the middle downhill: the loss has one valley.
    found: dict[int, float] = {}

    def mean(i: int) -> float:
        if i not in found:
            found[i] = float(np.mean([loss(options[i], train, test) for train, test in parts]))
        return found[i]

    at = len(options) // 2
    while True:
        best = min((i for i in (at - 1, at, at + 1) if 0 <= i < len(options)), key=lambda i: (mean(i), i))
        if best == at:
            return options[at]
        at = best


def _logistic(name: str, data: Training, terms: list[str], x: FloatArray) -> Model:
    if x.shape[1] == 0:
        return Model(name, LOG_ODDS, _prior(data.y))

    def fit(c: float, rows: IntArray, tol: float) -> LogisticRegression:
        return LogisticRegression(C=c, solver="newton-cholesky", max_iter=200, tol=tol).fit(x[rows], data.y[rows])

    def loss(c: float, train: IntArray, test: IntArray) -> float:
        s = fit(c, train, 1e-3).decision_function(x[test])
        return float(np.mean(np.logaddexp(0, s) - data.y[test] * s))

    c = _best(LOGISTIC_C, data, loss)
    model = fit(c, np.arange(len(x)), 1e-8)
    p = expit(model.decision_function(x))
    design = np.column_stack([x, np.ones(len(x))])
    penalty = np.diag(np.append(np.full(x.shape[1], 1 / c), 0.0))
    information = design.T @ (design * (p * (1 - p))[:, None]) + penalty
    error = np.sqrt(np.maximum(np.diag(np.linalg.pinv(information, hermitian=True)), 0))[:-1]
    w = model.coef_[0]
    return Model(name, LOG_ODDS, float(model.intercept_[0]), _terms(terms, w, w - 1.96 * error, w + 1.96 * error))


def _amount(
    name: str, score: str, data: Training, terms: pd.Series, x: FloatArray, w: FloatArray, b: float, alpha: float
) -> Model:
    """Linear model of an amount, with intervals that allow for its unequal spread (sandwich, White 1980)."""
    design = np.column_stack([x, np.ones(len(x))])
    residual = data.y - x @ w - b
    penalty = np.diag(np.append(np.full(x.shape[1], alpha), 0.0))
    bread = np.linalg.pinv(design.T @ design + penalty, hermitian=True)
    meat = design.T @ (design * (residual**2)[:, None])
    error = 1.96 * np.sqrt(np.maximum(np.diag(bread @ meat @ bread), 0))[:-1]
    return Model(name, score, b, _terms(terms, w, w - error, w + error), bounds=_bounds(data.y))


def _boosting_settings(data: Training) -> dict[str, Any]:
    return {
        "learning_rate": 0.06, "max_iter": 300, "max_leaf_nodes": 15, "min_samples_leaf": 20, "l2_regularization": 1.0,
        "early_stopping": len(data.y) >= 500, "validation_fraction": 1 / 7, "n_iter_no_change": 15,
        "random_state": data.seed,
    } | ({} if len(data.y) >= 500 else {"max_iter": 40})  # fmt: skip


def _tree_matrix(data: Training) -> tuple[pd.DataFrame, SingleArray]:
    terms = data.encoded.terms(encoding.TREE)
    x = tree_values(data.encoded, terms, data.frame)
    return terms, x if x.shape[1] else np.zeros((len(x), 1), dtype="float32")


def _level_term(feature: str, level: str) -> str:
    return f"{feature} is {level}"


def _node_table(terms: pd.DataFrame, trees: Sequence[dict[str, Any]]) -> pd.DataFrame:
    """Put trees into one table and name what each node splits on; pooled and missing levels as their terms end.

    Parameters
    ----------
    terms : DataFrame
        What columns the trees were grown on.
    trees : sequence of dict
        ``split_on`` (column), and the columns of :data:`NODE_COLUMNS` from the threshold on; leaves have -1 for
        ``left_node``.
    """
    if not trees:
        return _empty(NODE_COLUMNS)
    joined = {name: np.concatenate([np.asarray(tree[name]) for tree in trees]) for name in trees[0]}
    sizes = [len(tree["value"]) for tree in trees]
    is_leaf = joined["left_node"] < 0
    features = np.array([*terms["feature"], None], dtype=object)
    text = [
        None if family == "raw" else str(term)[len(str(feature)) + 4 :]
        for term, feature, family in zip(terms["term"], terms["feature"], terms["family"], strict=True)
    ]
    levels = np.array([*text, None], dtype=object)
    at = np.where(is_leaf, len(terms), joined.pop("split_on").astype("int64"))
    table = pd.DataFrame({
        "tree": np.repeat(np.arange(len(trees)), sizes), "node": np.concatenate([np.arange(n) for n in sizes]),
        "feature": features[at], "level": levels[at],
    })  # fmt: skip
    threshold = np.where(is_leaf, np.nan, joined.pop("threshold"))
    return table.assign(threshold=threshold, **joined)[list(NODE_COLUMNS)].astype(NODE_COLUMNS)


def _sklearn_tree(tree: Any) -> dict[str, Any]:
    left = tree.children_left.astype("int64")
    return {
        "split_on": tree.feature, "threshold": tree.threshold,
        "is_missing_left": tree.missing_go_to_left.astype(bool) & (left >= 0), "left_node": left,
        "right_node": tree.children_right.astype("int64"), "value": tree.value[:, 0, -1],
        "n_rows": tree.weighted_n_node_samples,
    }  # fmt: skip


def _boosted(
    model: HistGradientBoostingClassifier | HistGradientBoostingRegressor, terms: pd.DataFrame
) -> tuple[float, pd.DataFrame, pd.DataFrame]:
    """Copy the trees out of scikit-learn's histogram boosting (its node arrays; a test holds them to its scores)."""
    trees = []
    for (predictor,) in model._predictors:
        nodes = predictor.nodes
        is_leaf = nodes["is_leaf"].astype(bool)
        left = np.where(is_leaf, -1, nodes["left"].astype("int64"))
        right = np.where(is_leaf, -1, nodes["right"].astype("int64"))
        value, count = nodes["value"].astype("float64"), nodes["count"].astype("float64")
        for node in np.flatnonzero(~is_leaf)[::-1]:  # children come after their parents
            one, other = left[node], right[node]
            value[node] = (value[one] * count[one] + value[other] * count[other]) / (count[one] + count[other])
        trees.append({
            "split_on": nodes["feature_idx"], "threshold": nodes["num_threshold"],
            "is_missing_left": nodes["missing_go_to_left"].astype(bool), "left_node": left, "right_node": right,
            "value": value, "n_rows": count,
        })  # fmt: skip
    nodes_table = _node_table(terms, trees)
    return float(np.ravel(model._baseline_prediction)[0]), _empty(TERM_COLUMNS), nodes_table
