"""Simple rules that a model must beat, built as models so that they are stored, calibrated and judged like one."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from crm_mining.prediction import calibration, encoding, linear, models
from crm_mining.prediction.models import Candidate, Model, Training
from crm_mining.prediction.task import Task

PRIOR, LAST_PERIOD, RFM_RULE = "prior", "last_period", "rfm_rule"
BASELINE_NAMES = (PRIOR, LAST_PERIOD, RFM_RULE)


@dataclass(frozen=True)
class Baselines:
    """Columns that the simple rules use; None leaves a rule out. The prior is always among the baselines.

    Parameters
    ----------
    last_period : str, optional
        What the same outcome was in the period before (0/1, or the amount).
    recency, frequency, monetary : str, optional
        Days since the last purchase, number and value of purchases: the RFM rule adds up their quintiles.
    """

    last_period: str | None = None
    recency: str | None = None
    frequency: str | None = None
    monetary: str | None = None

    @property
    def columns(self) -> list[str]:
        """Those that are named."""
        return [name for name in (self.last_period, self.recency, self.frequency, self.monetary) if name is not None]


def baseline_candidates(rules: Baselines, task: Task) -> dict[str, Candidate]:
    """Build the rules that have columns; the prior first."""
    score = models.LOG_ODDS if task.is_yes_no else models.IDENTITY
    found: dict[str, Candidate] = {PRIOR: _prior(score)}
    if rules.last_period is not None:
        found[LAST_PERIOD] = (_last_period_yes_no if task.is_yes_no else _last_period_amount)(rules.last_period)
    if rules.recency is not None or rules.frequency is not None or rules.monetary is not None:
        found[RFM_RULE] = (_rfm_order if task.is_yes_no else _rfm_amount)(rules)
    return found


def _prior(score: str) -> Candidate:
    def fit(data: Training) -> Model:
        if score == models.LOG_ODDS:
            return Model(PRIOR, score, calibration.prior_log_odds(data.y))
        return Model(PRIOR, score, float(data.y.mean()) if len(data.y) else 0.0)

    return fit


def _last_period_amount(name: str) -> Candidate:
    def fit(data: Training) -> Model:
        # "value" is the amount standardised: undo that, so that the prediction is last period's amount itself.
        terms = data.encoded.table[data.encoded.table["feature"] == name]
        rows = terms[(terms["family"] == "value") & (terms["slope"] > 0)]
        if rows.empty:
            return Model(LAST_PERIOD, models.IDENTITY, float(data.y.mean()))
        slope, start, lower = (float(rows[c].iloc[0]) for c in ("slope", "start", "lower"))
        rule = _rule([f"{name} in its units"], [1 / slope])
        return Model(LAST_PERIOD, models.IDENTITY, lower - start / slope, rule)

    return fit


def _last_period_yes_no(name: str) -> Candidate:
    def fit(data: Training) -> Model:
        used = data.encoded.terms(encoding.BINNED)
        names = used.loc[used["feature"] == name, "term"].tolist()
        evidence, _ = linear.bin_evidence(data.encoded.matrix(data.frame, names), data.y)
        start = calibration.prior_log_odds(data.y)
        return Model(LAST_PERIOD, models.LOG_ODDS, start, _rule(names, evidence.tolist()))

    return fit


def _rfm_points(rules: Baselines, data: Training) -> tuple[list[str], list[float]]:
    """Terms of the bins and their points: ranks from 1 to 5, which is what quintiles are where there are five bins."""
    names: list[str] = []
    points: list[float] = []
    for column, sign in ((rules.recency, -1.0), (rules.frequency, 1.0), (rules.monetary, 1.0)):
        bins = data.encoded.terms(("bin",))
        own = bins.loc[bins["feature"] == column, "term"].tolist() if column else []
        names += own
        points += [sign * (1 + 4 * i / max(len(own) - 1, 1)) for i in range(len(own))]
    return names, points


def _rfm_amount(rules: Baselines) -> Candidate:
    def fit(data: Training) -> Model:
        names, points = _rfm_points(rules, data)
        if not names:
            return Model(RFM_RULE, models.IDENTITY, 0.0, _rule(names, points))
        s = data.encoded.matrix(data.frame, names) @ np.array(points)
        slope = float(np.cov(s, data.y)[0, 1] / s.var(ddof=1)) if s.var() > 0 else 0.0
        rule, start = _rule(names, [slope * p for p in points]), float(data.y.mean() - slope * s.mean())
        return Model(RFM_RULE, models.IDENTITY, start, rule, bounds=models.amount_bounds(data.y))

    return fit


def _rfm_order(rules: Baselines) -> Candidate:
    def fit(data: Training) -> Model:
        names, points = _rfm_points(rules, data)
        if names and len(data.y):
            # Who buys much buys again, but does not leave: the training rows say which way the rule points.
            s = data.encoded.matrix(data.frame, names) @ np.array(points)
            if s @ (data.y - data.y.mean()) < 0:
                points = [-p for p in points]
        return Model(RFM_RULE, models.LOG_ODDS, 0.0, _rule(names, points))

    return fit


def _rule(names: list[str], weights: list[float]) -> pd.DataFrame:
    return models.term_table(names, np.array(weights, dtype="float64"))
