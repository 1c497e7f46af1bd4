"""Naive Bayes, of categories and of numbers."""

import numpy as np

from crm_mining.prediction import encoding
from crm_mining.prediction.calibration import prior_log_odds
from crm_mining.prediction.linear import bin_evidence
from crm_mining.prediction.models import LOG_ODDS, Model, Training, term_table

#: Rows that the variance common to both classes counts for in Gaussian naive Bayes.
COMMON_ROWS = 10_000


def categorical_naive_bayes(data: Training) -> Model:
    """Naive Bayes over quantile bins and levels: the evidence of each adds up, as if features were independent."""
    terms, x = data.matrix(encoding.BINNED)
    evidence, error = bin_evidence(x, data.y)
    table = term_table(terms["term"], evidence, evidence - 1.96 * error, evidence + 1.96 * error)
    return Model("categorical_naive_bayes", LOG_ODDS, prior_log_odds(data.y), table)


def gaussian_naive_bayes(data: Training) -> Model:
    """Naive Bayes with a normal density per class for each normalised number, and the shares of the levels.

    The two variances of a number are shrunk towards their common one: what is 0 for nearly everybody has a variance
    that depends on a few rows, and would outweigh everything else.
    """
    terms, x = data.matrix(("normal", "square", "missing", "level"))
    w, _ = bin_evidence(x, data.y)
    intercept = prior_log_odds(data.y)
    family = terms["family"].to_numpy()
    yes = data.y == 1
    # log N(z; m1, v1) - log N(z; m0, v0) is a constant, a multiple of z and one of z squared.
    for i, square in zip(np.flatnonzero(family == "normal"), np.flatnonzero(family == "square"), strict=True):
        (m1, m0), within = (x[yes, i].mean(), x[~yes, i].mean()), np.array([x[yes, i].var(), x[~yes, i].var()])
        sizes = np.array([yes.sum(), (~yes).sum()])
        v1, v0 = (within * sizes + COMMON_ROWS * (within @ sizes / len(x))) / (sizes + COMMON_ROWS) + 0.01
        w[i], w[square] = m1 / v1 - m0 / v0, (1 / v0 - 1 / v1) / 2
        intercept += (np.log(v0 / v1) + m0**2 / v0 - m1**2 / v1) / 2
    return Model("gaussian_naive_bayes", LOG_ODDS, float(intercept), term_table(terms["term"], w))
