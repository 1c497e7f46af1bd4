"""Measures of a yes or no and the one-variable logistic fit, beside scikit-learn's."""

import numpy as np
import pytest
from scipy.special import expit
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from crm_mining.common.arrays import FloatArray
from crm_mining.evaluation.binary import roc_auc
from crm_mining.evaluation.logistic import fit_line, fit_lines


def draw(n: int, a: float, b: float) -> tuple[FloatArray, FloatArray]:
    rng = np.random.default_rng(n)
    z = rng.normal(size=n)
    return z, (rng.random(n) < expit(a + b * z)).astype("float64")


@pytest.mark.parametrize(("a", "b"), [(0.0, 1.0), (-2.0, 0.4), (1.0, -1.5)])
def test_a_line_is_the_maximum_likelihood_one(a: float, b: float) -> None:
    z, y = draw(3000, a, b)
    reference = LogisticRegression(C=np.inf, tol=1e-10, max_iter=1000).fit(z[:, None], y)
    expected = (reference.intercept_[0], reference.coef_[0, 0])
    assert fit_line(z, y) == pytest.approx(expected, abs=1e-5)
    many = fit_lines(z, y, np.ones((len(z), 2)))
    assert np.abs(np.array(many).T - expected).max() < 1e-5


def test_weights_count_rows() -> None:
    z, y = draw(400, 0.3, 0.8)
    n = np.random.default_rng(1).integers(0, 4, len(z))
    a, b = fit_lines(z, y, n[:, None].astype("float64"))
    assert (a[0], b[0]) == pytest.approx(fit_line(np.repeat(z, n), np.repeat(y, n)), abs=1e-3)


def test_a_prior_holds_where_there_is_little_and_keeps_separated_classes_finite() -> None:
    z, y = draw(20, 0.0, 1.0)
    assert fit_line(z, y, prior=(0.5, 2.0), precision=(1e9, 1e9)) == pytest.approx((0.5, 2.0), abs=1e-6)
    a, b = fit_line(z, (z > 0).astype("float64"), precision=(0.0, 0.1), least_variance=1e-10)
    assert np.isfinite([a, b]).all()
    assert b > 1
    assert np.isnan(fit_lines(z, np.ones(20), np.zeros((20, 1)))[1]).all()


def test_roc_area_is_that_of_scikit_learn_ties_and_all() -> None:
    z, y = draw(500, 0.0, 1.0)
    for score in (z, z.round(), np.zeros(500)):
        assert roc_auc(y, score) == pytest.approx(roc_auc_score(y, score), abs=1e-12)
    assert np.isnan(roc_auc(np.ones(3), z[:3]))
