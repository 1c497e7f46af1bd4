"""Which models are tried, and the average of the best."""

import numpy as np

from crm_mining.prediction.bayes import categorical_naive_bayes, gaussian_naive_bayes
from crm_mining.prediction.linear import (
    elastic_net,
    linear_regression,
    linear_svm,
    logistic_regression,
    poisson_regression,
    ridge_regression,
    scorecard,
)
from crm_mining.prediction.models import LOG_ODDS, Candidate, Model, Training
from crm_mining.prediction.trees import boosting, boosting_regression, decision_tree, random_forest


def average(data: Training) -> Model:
    """Mean of the log-odds of logistic regression and boosting."""
    both = [data.fitted.get(f.__name__) or f(data) for f in (logistic_regression, boosting)]
    terms = both[0].terms.assign(
        coefficient=both[0].terms["coefficient"] / 2, interval_low=np.nan, interval_high=np.nan
    )
    nodes = both[1].nodes.assign(value=both[1].nodes["value"] / 2)
    return Model("average", LOG_ODDS, (both[0].intercept + both[1].intercept) / 2, terms, nodes)


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
