"""Whom a message changes: individual effects from campaigns with a random control group, and how good they are.

Two estimates of what a message does to the chance to buy, by scikit-learn: the difference of two logistic regressions,
one of those who got it and one of those who did not (the two-model approach, Radcliffe & Surry 1999), and a ridge
regression of the transformed outcome, whose mean is the effect (Jaskowski & Jaroszewicz 2012, *Uplift modeling for
clinical trial data*). Their mean is what is used. Both are linear on purpose: effects are small compared with the noise
of buying, and a more flexible model learns the noise.

Judged on later campaigns than those learned from: by the Qini curve of the randomised control group (Radcliffe 2007),
the customers gained per customer written to when the likeliest are written to first; and, where it is known, by the
planted truth instead of the observed purchases.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import duckdb
import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.sparse import csr_array
from sklearn.linear_model import LogisticRegression, RidgeCV

from crm_mining.common.arrays import FloatArray
from crm_mining.common.seeds import SEED
from crm_mining.common.threads import one_thread
from crm_mining.evaluation.metric_table import METRIC_COLUMNS, no_metrics
from crm_mining.evaluation.resampling import draw_counts, percentiles, resample
from crm_mining.evaluation.truth import read_truth, sole_persons

CURRENT = "current"
TWO_MODELS, TRANSFORMED, MEAN, RESPONSE = "two_models", "transformed_outcome", "mean", "response"
#: Counts and days, taken as logarithms; absent is 0.
_COUNTS = ("n_orders", "n_orders_90d", "days_since_order", "days_since_first_order", "n_messages")
_NUMBERS = ("age_years", "opened_share")
_LEVELS = ("main_category", "channel")
MAX_LEVELS = 12
C = 0.1
ALPHAS = (1e2, 1e3, 1e4, 1e5)
#: Fewer in either group, or fewer buyers in either, and no effect is estimated: everybody gets the mean of all.
MIN_GROUP, MIN_BUYERS = 100, 10
#: The last campaigns, this share of all, judge; never fewer than one.
JUDGING_SHARE = 1 / 3
N_RESAMPLES = 200
SCORE_COLUMNS = {
    "customer_id": "str", "channel": "str", "uplift_two_models": "float64", "uplift_transformed_outcome": "float64",
    "uplift": "float64", "method": "str",
}  # fmt: skip
_SUBSCRIBERS = "marketing.subscribers"


@dataclass(frozen=True)
class Effects:
    """Effects of a message on each of some customers.

    Parameters
    ----------
    two_models, transformed : array of shape (n,)
        Differences in the probability to buy within the window, by either method.
    response : array of shape (n,)
        Probability to buy with the message: not an effect, but what a mailing without control groups would sort by.
    method : str
        ``learned``; ``mean`` when the groups were too small: everybody gets the difference between the groups; ``none``
        when there is no control group at all: everybody gets 0.
    """

    two_models: FloatArray
    transformed: FloatArray
    response: FloatArray
    method: str

    @property
    def uplift(self) -> FloatArray:
        """Mean of the two methods."""
        return (self.two_models + self.transformed) / 2


def estimate_effects(known: pd.DataFrame, asked: pd.DataFrame) -> Effects:
    """Learn from past campaigns what a message would do to each customer asked for.

    Parameters
    ----------
    known : DataFrame
        One row per campaign and addressee, in a fixed order: ``campaign_id, is_treated, has_converted, main_category,
        channel, age_years, opened_share, n_orders, n_orders_90d, days_since_order, days_since_first_order,
        n_messages``. Within a campaign ``is_treated`` is random.
    asked : DataFrame
        Rows with the same features.

    Returns
    -------
    Effects
        Of the rows of ``asked``.
    """
    # A campaign without a control group shows no effect.
    groups = known.groupby("campaign_id")["is_treated"].agg(["mean", "size"])
    share = known["campaign_id"].map(groups["mean"]).to_numpy(dtype="float64")
    is_random = (share > 0) & (share < 1)
    known, share = known[is_random], share[is_random]
    treated = known["is_treated"].to_numpy(dtype="bool")
    y = known["has_converted"].to_numpy(dtype="int64")
    n = len(asked)
    if not treated.any() or treated.all():
        return Effects(np.zeros(n), np.zeros(n), np.zeros(n), "none")
    transformed = y * np.where(treated, 1 / share, -1 / (1 - share))
    sizes = [int((treated == arm).sum()) for arm in (True, False)]
    buyers = [int(y[treated == arm].sum()) for arm in (True, False)]
    if min(sizes) < MIN_GROUP or min(buyers) < MIN_BUYERS or any(b == s for b, s in zip(buyers, sizes, strict=True)):
        mean = np.full(n, round(float(transformed.mean()), 9))
        return Effects(mean, mean, np.full(n, y[treated].mean()), "mean")
    x, asked_x = _matrices(known, asked)
    with one_thread():
        with_message, without = (
            LogisticRegression(C=C, max_iter=500).fit(x[treated == arm], y[treated == arm]) for arm in (True, False)
        )
        response = with_message.predict_proba(asked_x)[:, 1]
        difference = response - without.predict_proba(asked_x)[:, 1]
        direct = RidgeCV(alphas=ALPHAS).fit(x, transformed).predict(asked_x)
    # The last bits of a matrix product are not the same everywhere.
    return Effects(np.round(difference, 9), np.round(direct, 9), np.round(response, 9), "learned")


def score_from_tables(features: duckdb.DuckDBPyRelation) -> pd.DataFrame:
    """Estimate what a message of each channel would do to each customer today.

    Parameters
    ----------
    features : relation
        As :func:`estimate_effects` takes it, with ``customer_id``; rows to score have the ``campaign_id`` ``current``.

    Returns
    -------
    DataFrame
        :data:`SCORE_COLUMNS`, one row per customer and channel.
    """
    known = features.filter(f"campaign_id != '{CURRENT}'").order("campaign_id, customer_id").df()
    asked = features.filter(f"campaign_id = '{CURRENT}'").order("customer_id, channel").df()
    found = estimate_effects(known, asked)
    return pd.DataFrame(
        {
            "customer_id": asked["customer_id"],
            "channel": asked["channel"],
            "uplift_two_models": found.two_models,
            "uplift_transformed_outcome": found.transformed,
            "uplift": found.uplift,
            "method": found.method,
        }
    ).astype(SCORE_COLUMNS)


def _matrices(known: pd.DataFrame, asked: pd.DataFrame) -> tuple[FloatArray, FloatArray]:
    """Features of both, centred and scaled by what is known of the first."""
    levels = {name: known[name].value_counts().sort_index().nlargest(MAX_LEVELS).index for name in _LEVELS}
    age = float(known["age_years"].median()) if known["age_years"].notna().any() else 0.0
    x, asked_x = (
        np.column_stack(
            [
                *(np.log1p(frame[name].fillna(0).clip(lower=0).to_numpy(dtype="float64")) for name in _COUNTS),
                *(frame[name].fillna(age if name == "age_years" else 0).to_numpy(dtype="float64") for name in _NUMBERS),
                *((frame[name] == level).to_numpy(dtype="float64") for name in _LEVELS for level in levels[name]),
            ]
        )
        for frame in (known, asked)
    )
    mean, spread = x.mean(axis=0), x.std(axis=0)
    spread[spread < 1e-9] = 1.0
    return (x - mean) / spread, (asked_x - mean) / spread


# ---------------------------------------------------------------------------------------------------------- evaluation


def qini_curve(uplift: npt.ArrayLike, gain: npt.ArrayLike) -> pd.DataFrame:
    """Count the customers gained when those with the greatest uplift are written to first.

    Parameters
    ----------
    uplift : array of shape (n,)
        What the customers are sorted by; equal ones gain together.
    gain : array of shape (n,)
        Of each customer: the transformed outcome, ``y / p`` of who got the message and ``-y / (1 - p)`` of who did not,
        whose mean is the effect; or the true effect.

    Returns
    -------
    DataFrame
        ``share`` written to, from 0 to 1, ``gained`` per customer of all, and ``random``: what as many drawn by lot
        gain. One row per distinct uplift, and one for nobody.
    """
    share, gained = _curve(uplift, gain)
    return pd.DataFrame({"share": share, "gained": gained, "random": share * gained[-1]})


def qini_coefficient(uplift: npt.ArrayLike, gain: npt.ArrayLike) -> float:
    """Measure the area between the Qini curve and the line of those drawn by lot: 0 is no better than chance."""
    share, gained = _curve(uplift, gain)
    return float(np.trapezoid(gained - share * gained[-1], share))


def _curve(uplift: npt.ArrayLike, gain: npt.ArrayLike) -> tuple[FloatArray, FloatArray]:
    sorted_by, gains = np.asarray(uplift, dtype="float64"), np.asarray(gain, dtype="float64")
    if sorted_by.shape != gains.shape or sorted_by.ndim != 1:
        raise ValueError(f"uplift has the shape {sorted_by.shape}, gain {gains.shape}; both are lists of one length")
    order = np.argsort(-sorted_by, kind="stable")
    is_last = np.append(np.diff(sorted_by[order]) != 0, True) if len(order) else np.zeros(0, dtype="bool")
    n = max(len(order), 1)
    share = np.concatenate([[0.0], (np.flatnonzero(is_last) + 1) / n])
    return share, np.concatenate([[0.0], np.cumsum(gains[order])[is_last] / n])


def evaluate_uplift(
    features: duckdb.DuckDBPyRelation,
    sources: duckdb.DuckDBPyRelation,
    *,
    record_persons: Path | None = None,
    persons: Path | None = None,
    effects: Path | None = None,
) -> pd.DataFrame:
    """Judge both methods on the last third of the campaigns, each from the campaigns over before it began.

    Parameters
    ----------
    features : relation
        As :func:`estimate_effects` takes it, with ``customer_id, started_date, moment_date``.
    sources : relation
        ``source_table, source_key, customer_id``.
    record_persons, persons, effects : Path, optional
        Truth tables: ``source_table, source_key, person_id``; ``person_id, effect_group``; ``campaign_id, effect_group,
        uplift``. Without them only the control group judges.

    Returns
    -------
    DataFrame
        One row per model and metric, with the columns of :data:`crm_mining.evaluation.metric_table.METRIC_COLUMNS` and
        intervals by resampling customers. ``qini``: :func:`qini_coefficient` by the control group;
        ``top_third_effect``: the effect on the third with the greatest uplift, by the control group; ``qini_of_truth``:
        by the true effects; ``share_of_perfect``: of the coefficient of sorting by the true effects themselves. The
        baseline is sorting by the probability to buy.
    """
    known = features.filter(f"campaign_id != '{CURRENT}'").order("started_date, campaign_id, customer_id").df()
    judged = list(_judged_campaigns(known))
    if not judged:
        return no_metrics()
    pooled = pd.concat(judged, ignore_index=True)
    gains = {"": pooled["gain"]}
    truth = _true_effects(pooled, sources, record_persons, persons, effects)
    if truth is not None:
        gains["_of_truth"] = truth
    measured = [row for suffix, gain in gains.items() for row in _measured(pooled, gain, suffix)]
    names = [TWO_MODELS, TRANSFORMED, MEAN, RESPONSE]
    rows = sorted(measured, key=lambda row: names.index(row[0]))
    table = pd.DataFrame(rows, columns=["name", "metric", "value", "interval_low", "interval_high"])
    baseline = table[table["name"] == RESPONSE].set_index("metric")["value"]
    return table.assign(
        model="uplift_" + table["name"],
        target="converted",
        split="later_campaigns",
        fold=0,
        baseline=table["metric"].map(baseline),
    )[list(METRIC_COLUMNS)].astype(METRIC_COLUMNS)


def _judged_campaigns(known: pd.DataFrame) -> Iterator[pd.DataFrame]:
    starts = known.groupby("campaign_id", sort=False).agg(started=("started_date", "min"), share=("is_treated", "mean"))
    starts = starts[(starts["share"] > 0) & (starts["share"] < 1)]
    n_judged = max(1, round(len(starts) * JUDGING_SHARE)) if len(starts) > 1 else 0
    for campaign, row in starts.tail(n_judged).iterrows():
        before = known[known["outcome_known_date"] < row["started"]]
        here = known[known["campaign_id"] == campaign]
        if not len(before):
            continue
        found = estimate_effects(before, here)
        share = float(row["share"])
        treated = here["is_treated"].to_numpy(dtype="bool")
        yield here[["campaign_id", "customer_id"]].assign(
            gain=here["has_converted"].to_numpy("float64") * np.where(treated, 1 / share, -1 / (1 - share)),
            **{
                TWO_MODELS: found.two_models,
                TRANSFORMED: found.transformed,
                MEAN: found.uplift,
                RESPONSE: found.response,
            },
        )


class _Ranking:
    """Customers sorted by uplift once, to be measured under many weightings; equal ones gain together.

    Parameters
    ----------
    uplift, gain : array of shape (n,)
        As for :func:`qini_curve`.
    """

    def __init__(self, uplift: FloatArray, gain: FloatArray) -> None:
        order = np.argsort(-uplift, kind="stable")
        bounds = np.append(np.flatnonzero(np.append(True, np.diff(uplift[order]) != 0)), len(order))
        shape = (len(bounds) - 1, len(order))
        self._rows = csr_array((np.ones(len(order)), order, bounds), shape=shape)
        self._gains = csr_array((gain[order], order, bounds), shape=shape)

    def measure(self, w: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Measure the Qini coefficient and the mean gain of the first third, shape (n_weightings,) both.

        Parameters
        ----------
        w : array of shape (n, n_weightings)
            Weights of the rows. Of equal customers across the border of the third, a share counts.
        """
        n, gains = self._rows @ w, self._gains @ w
        total, gained = n.sum(axis=0), np.cumsum(gains, axis=0)
        # Trapezoids between the ends of the ties, less the triangle of those drawn by lot.
        area = ((gained - gains / 2) * n).sum(axis=0) / total**2 - gained[-1] / total / 2
        third = np.maximum(total // 3, 1)
        room = third - (np.cumsum(n, axis=0) - n)
        share = np.clip(np.divide(room, n, out=np.zeros_like(n), where=n > 0), 0, 1)
        return area, (gains * share).sum(axis=0) / third


def _measured(pooled: pd.DataFrame, gain: pd.Series, suffix: str) -> list[tuple[str, str, float, float, float]]:
    """Give ``name, metric, value, interval_low, interval_high`` of all models, by one set of draws."""
    is_known = gain.notna().to_numpy()
    gains = gain[is_known].to_numpy("float64")
    n = len(gains)
    if n == 0:
        return []
    rankings = {
        name: _Ranking(pooled.loc[is_known, name].to_numpy("float64"), gains)
        for name in (TWO_MODELS, TRANSFORMED, MEAN, RESPONSE)
    }
    perfect = _Ranking(gains, gains) if suffix else None

    def measure(w: FloatArray) -> dict[tuple[str, str], FloatArray]:
        best = np.zeros(w.shape[1]) if perfect is None else perfect.measure(w)[0]
        found = {}
        for name, ranking in rankings.items():
            found[name, f"qini{suffix}"], found[name, f"top_third_effect{suffix}"] = ranking.measure(w)
            if perfect is not None:
                qini = found[name, f"qini{suffix}"]
                found[name, "share_of_perfect"] = np.divide(qini, best, out=np.zeros_like(best), where=best > 0)
        return found

    values, drawn = measure(np.ones((n, 1))), resample(measure, draw_counts(n, N_RESAMPLES, SEED))
    return [(name, metric, float(v[0]), *percentiles(drawn[name, metric])) for (name, metric), v in values.items()]


def _true_effects(
    pooled: pd.DataFrame,
    sources: duckdb.DuckDBPyRelation,
    record_persons: Path | None,
    persons: Path | None,
    effects: Path | None,
) -> pd.Series | None:
    """Look up the true effect by row of ``pooled``; NaN for customers who are not one person in truth."""
    if record_persons is None or persons is None or effects is None:
        return None
    people, planted = read_truth(persons), read_truth(effects)
    owners = sole_persons(sources.filter(f"source_table = '{_SUBSCRIBERS}'"), record_persons)
    rows = pooled[["campaign_id", "customer_id"]].merge(owners, on="customer_id", how="left")
    rows = rows.merge(people[["person_id", "effect_group"]], on="person_id", how="left")
    rows = rows.merge(planted, on=["campaign_id", "effect_group"], how="left")
    return pd.to_numeric(rows["uplift"])
