"""Bootstrap by weights: the same as measuring each draw's rows one by one."""

import numpy as np
import pytest
from scipy.special import expit
from sklearn.metrics import average_precision_score, brier_score_loss, log_loss, roc_auc_score

from crm_mining.common.arrays import FloatArray
from crm_mining.evaluation.binary import Probabilities
from crm_mining.evaluation.logistic import fit_line, fit_lines
from crm_mining.evaluation.resampling import draw_counts, percentiles, resample


def predictions(n: int, *, share: float = 0.3, digits: int = 12) -> tuple[FloatArray, FloatArray]:
    rng = np.random.default_rng(n)
    z = rng.normal(np.log(share / (1 - share)), 1, n)
    return (rng.random(n) < expit(z)).astype("float64"), expit(1.2 * z).round(digits)


@pytest.mark.parametrize("digits", [12, 1])
def test_weights_measure_as_the_drawn_rows_do(digits: int) -> None:
    y, p = predictions(400, digits=digits)
    p = p.clip(0.01, 0.99)
    (counts,) = draw_counts(len(y), 12, 0)
    found = resample(Probabilities(y, p).measure, [counts[:, :5], counts[:, 5:]])
    for i, n in enumerate(counts.T.astype("int64")):
        drawn_y, drawn_p = np.repeat(y, n), np.repeat(p, n)
        assert found["roc_auc"][i] == pytest.approx(roc_auc_score(drawn_y, drawn_p), abs=1e-9)
        assert found["average_precision"][i] == pytest.approx(average_precision_score(drawn_y, drawn_p), abs=1e-9)
        assert found["brier_score"][i] == pytest.approx(brier_score_loss(drawn_y, drawn_p), abs=1e-9)
        assert found["log_loss"][i] == pytest.approx(log_loss(drawn_y, drawn_p), abs=1e-9)
        alone = Probabilities(drawn_y, drawn_p).measure(np.ones((len(drawn_y), 1)))
        for name in set(found) - {"calibration_slope"}:
            assert found[name][i] == pytest.approx(alone[name][0], abs=1e-9), name


@pytest.mark.parametrize(("n", "share"), [(300, 0.1), (700, 0.05), (3000, 0.2)])
def test_the_slope_of_a_draw_is_that_of_an_exact_fit(n: int, share: float) -> None:
    y, p = predictions(n, share=share)
    z = np.log(p / (1 - p))
    counts = np.hstack(list(draw_counts(n, 200, 1)))
    _, slopes = fit_lines(z, y, counts)
    exact = np.array([fit_line(np.repeat(z, k), np.repeat(y, k))[1] for k in counts.T.astype("int64")])
    assert np.abs(slopes - exact).max() < exact.std() / 30


def test_a_draw_is_of_whole_units_and_does_not_hang_on_the_parts() -> None:
    codes = np.repeat(np.arange(40_000), 3)
    parts = list(draw_counts(40_000, 9, 7, codes=codes))
    assert [part.shape for part in parts] == [(120_000, 3)] * 3
    whole = np.hstack(list(draw_counts(40_000, 9, 7)))
    assert np.array_equal(np.hstack(parts), whole[codes])
    assert (whole.sum(axis=0) == 40_000).all()


def test_an_interval_covers_the_mean_as_often_as_it_says() -> None:
    rng = np.random.default_rng(2)
    covered = 0
    for i in range(200):
        x = rng.exponential(1, 200)
        drawn = resample(lambda w, x=x: {"mean": x @ w / w.sum(axis=0)}, draw_counts(200, 200, i))["mean"]
        low, high = percentiles(drawn)
        covered += low < 1 < high
    assert 0.88 <= covered / 200 <= 0.99
    assert np.isnan(percentiles(np.array([np.nan]))).all()
