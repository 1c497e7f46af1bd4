"""Which products a customer will buy next: candidates in, a probability for each out, learned from earlier windows.

The evidence for a product is counted in SQL, for the current day and for earlier ones, and this module learns how much
each of it counts: a gradient boosting of trees and a logistic regression of logarithms are fitted to what customers
bought in the windows before, and a mean of their log-odds ranks the candidates. Trees find which ingredient counts
for whom; the regression steadies them where there is little data. Both are scikit-learn's and fitted pointwise; what is
ranked is one customer's candidates. Candidates first, ranking second is the usual way (Covington, Adams & Sargin 2016,
*Deep neural networks for YouTube recommendations*, RecSys).

Nothing of a window is known when it is judged: windows are numbered backwards from the current day, and the scores of
window ``b`` come from the three windows before it.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
from scipy.special import expit
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression

from crm_mining.common.arrays import BoolArray, FloatArray, SingleArray
from crm_mining.common.progress import Progress
from crm_mining.common.seeds import SEED
from crm_mining.common.threads import one_thread

ANY, NEW = "any_product", "new_product"
SETTINGS = (ANY, NEW)
#: Windows that scores are made for: the current day, and the test.
CURRENT, TEST = 0, 1
#: Windows before it that a fit learns from.
N_WINDOWS = 3

#: Of the product, the customer, and the two together where the customer has not bought it yet.
FEATURES = (
    "share_of_best_7d", "share_of_best_14d", "share_of_best_30d", "share_of_best_90d", "share_of_best",
    "share_of_best_next_last_year", "share_of_best_last_year", "purchases_per_buyer", "product_age_days",
    "product_silence_days", "trend_7d", "trend_30d", "season", "n_purchase_days", "n_purchase_days_90d",
    "n_products", "mean_basket", "days_since_purchase", "similarity", "best_similarity", "similar_popularity",
    "similar_popularity_of_best",
    "similar_rank", "popular_rank", "path_confidence", "basket_confidence", "segment_share",
)  # fmt: skip
#: Of the customer's own purchases of the product.
OWN_FEATURES = (
    "n_purchases", "weight_30d", "weight_90d", "weight_360d", "days_since_product", "mean_gap_days",
    "gaps_since_product", "purchase_share", "n_purchases_next_last_year", "n_units", "own_popularity",
    "own_popularity_of_best", "own_rank",
)  # fmt: skip
#: Shares and weights, for whose logarithm nothing is not 0 but this; of the others one more than the value is taken.
_SMALLEST = 0.003
_SMALL = (
    "weight_30d", "weight_90d", "weight_360d", "similarity", "best_similarity", "similar_popularity_of_best",
    "own_popularity_of_best", "share_of_best_7d", "share_of_best_14d", "share_of_best_30d", "share_of_best_90d",
    "share_of_best", "share_of_best_next_last_year", "share_of_best_last_year", "path_confidence", "basket_confidence",
    "segment_share", "purchase_share",
)  # fmt: skip
#: Products not bought are many: as many of them as this per product bought are learned from, or this many at least.
NEGATIVES_PER_POSITIVE = 5
MIN_NEGATIVES = 20_000
#: With fewer products bought nothing is learned, and candidates are ranked by the fall-back.
MIN_POSITIVES = 100
#: Weight of the trees in the mean: the best of 0.5, 0.7, 0.85 and 1 on Online Retail II, two months before its end.
TREES_SHARE = 0.7
BATCH_ROWS = 500_000
SCORE_SCHEMA = pa.schema(
    [
        ("n_back", pa.int64()), ("setting", pa.string()), ("customer_id", pa.string()), ("product_id", pa.string()),
        ("score", pa.float64()), ("method", pa.string()),
    ]
)  # fmt: skip
LEARNED, FALL_BACK = "learned", "popularity"


@dataclass(frozen=True)
class Ranker:
    """What the windows of one setting taught.

    Parameters
    ----------
    features : tuple of str
        Columns of the candidates that it reads.
    trees, regression
        The two fitted models; None for the fall-back.
    is_varied : array of shape (n_features,)
        Features with more than one value in the windows: the others can't split a tree.
    mean, spread : array of shape (n_features,)
        Of the logarithms, for the regression.
    sampled_share : float
        Share of the products not bought that were learned from: its logarithm is what log-odds are too high by (King &
        Zeng 2001, *Logistic regression in rare events data*, prior correction).
    """

    features: tuple[str, ...]
    is_varied: BoolArray
    trees: HistGradientBoostingClassifier | None
    regression: LogisticRegression | None
    mean: FloatArray
    spread: FloatArray
    sampled_share: float

    @property
    def method(self) -> str:
        """``learned``, or ``popularity`` when there was too little to learn from."""
        return FALL_BACK if self.trees is None else LEARNED

    def score(self, candidates: pd.DataFrame) -> FloatArray:
        """Probability that each candidate is bought in the window by a customer who buys at all, shape (n,)."""
        if self.trees is None or self.regression is None:
            return _fall_back(candidates, is_own="own_popularity" in self.features)
        values = _values(candidates, self.features)
        with one_thread():
            by_trees = self.trees.decision_function(values[:, self.is_varied])
            by_regression = self.regression.decision_function(
                (_logarithms(values, self.features) - self.mean) / self.spread
            )
        log_odds = TREES_SHARE * by_trees + (1 - TREES_SHARE) * by_regression + np.log(self.sampled_share)
        # The sum of a matrix product may differ in its last bits from machine to machine.
        return np.asarray(np.round(expit(log_odds), 9))


def fit_ranker(candidates: pd.DataFrame, *, setting: str, without: Collection[str] = (), seed: int = SEED) -> Ranker:
    """Learn how much each ingredient counts.

    Parameters
    ----------
    candidates : DataFrame
        One row per window, customer and product, in a fixed order: :data:`FEATURES`, :data:`OWN_FEATURES`, ``is_owned``
        and ``is_bought`` (whether it was bought in the window).
    setting : str
        ``any_product``, or ``new_product``: candidates that the customer has bought before are left out.
    without : collection of str
        Features to leave out, to see what they add.
    seed : int
        Of the sample of products not bought, and of the trees.

    Returns
    -------
    Ranker
        With fewer than :data:`MIN_POSITIVES` products bought it is the fall-back, which ranks by popularity.

    Raises
    ------
    ValueError
        When the setting is none of :data:`SETTINGS`.
    """
    if setting not in SETTINGS:
        raise ValueError(f"setting is {setting!r}; allowed: {', '.join(SETTINGS)}")
    offered = FEATURES + OWN_FEATURES if setting == ANY else FEATURES
    features = tuple(name for name in offered if name not in without)
    rows = candidates if setting == ANY else candidates[~candidates["is_owned"].to_numpy(dtype="bool")]
    is_bought = rows["is_bought"].to_numpy(dtype="bool")
    if is_bought.sum() < MIN_POSITIVES or is_bought.all():
        n = len(features)
        return Ranker(features, np.ones(n, dtype="bool"), None, None, np.zeros(n), np.ones(n), 1.0)
    share = min(1.0, max(MIN_NEGATIVES, NEGATIVES_PER_POSITIVE * is_bought.sum()) / (~is_bought).sum())
    is_kept = is_bought | (np.random.default_rng(seed).random(len(rows)) < share)
    # No weights: with them scikit-learn would need four times as long to cut the features into bins.
    y = is_bought[is_kept].astype("int64")
    values = _values(rows[is_kept], features)
    is_varied = np.array([len(np.unique(column[~np.isnan(column)])) > 1 for column in values.T])
    logarithms = _logarithms(values, features)
    mean = logarithms.mean(axis=0)
    spread = logarithms.std(axis=0)
    spread[spread < 1e-9] = 1.0
    with one_thread():
        trees = HistGradientBoostingClassifier(
            learning_rate=0.1, max_iter=80, max_leaf_nodes=31, min_samples_leaf=50, l2_regularization=1.0,
            early_stopping=False, random_state=seed,
        ).fit(values[:, is_varied], y)  # fmt: skip
        regression = LogisticRegression(C=1.0, max_iter=300).fit((logarithms - mean) / spread, y)
    return Ranker(features, is_varied, trees, regression, mean, spread, share)


def score_from_tables(candidates: duckdb.DuckDBPyRelation, *, may_be_owned: bool) -> pa.RecordBatchReader:
    """Score the candidates of the current day and, in both settings, of the test window.

    Parameters
    ----------
    candidates : relation
        One row per ``n_back`` (0 is the current day), ``customer_id`` and ``product_id``, as :func:`fit_ranker` takes
        it. Fits see the windows ``n_back + 1`` to ``n_back + 3`` alone.
    may_be_owned : bool
        The setting of the current day: any product, or new ones only.

    Returns
    -------
    RecordBatchReader
        :data:`SCORE_SCHEMA`: one row per window, setting and candidate. The score is the probability that a customer
        who buys anything in the window buys this; ``method`` says whether it was learned. Read in batches, so that the
        candidates need not fit in memory.
    """
    wanted = [(TEST, ANY), (TEST, NEW), (CURRENT, ANY if may_be_owned else NEW)]
    return pa.RecordBatchReader.from_batches(SCORE_SCHEMA, _scored(candidates, wanted))


def _scored(candidates: duckdb.DuckDBPyRelation, wanted: list[tuple[int, str]]) -> Iterator[pa.RecordBatch]:
    columns = ", ".join(
        ["customer_id", "product_id", "is_owned", "is_bought", "n_buyers_14d", *FEATURES, *OWN_FEATURES]
    )
    progress = Progress("fits of the recommender", len(wanted))
    for done, (n_back, setting) in enumerate(wanted):
        progress.update(done)
        learned_from = candidates.filter(f"n_back between {n_back + 1} and {n_back + N_WINDOWS}")
        ranker = fit_ranker(
            learned_from.order("n_back, customer_id, product_id").project(columns).df(), setting=setting
        )
        of_window = candidates.filter(f"n_back = {n_back}" + ("" if setting == ANY else " and not is_owned"))
        for batch in of_window.project(columns).to_arrow_reader(BATCH_ROWS):
            frame = batch.to_pandas()
            yield pa.RecordBatch.from_pydict(
                {
                    "n_back": np.full(len(frame), n_back),
                    "setting": [setting] * len(frame),
                    "customer_id": batch.column("customer_id"),
                    "product_id": batch.column("product_id"),
                    "score": ranker.score(frame),
                    "method": [ranker.method] * len(frame),
                },
                schema=SCORE_SCHEMA,
            )


def _values(candidates: pd.DataFrame, features: tuple[str, ...]) -> SingleArray:
    """Features as single precision, NaN where there is no value, shape (n, n_features)."""
    return np.column_stack([candidates[name].to_numpy(dtype="float32", na_value=np.nan) for name in features])


def _logarithms(values: SingleArray, features: tuple[str, ...]) -> FloatArray:
    """Logarithms of the features; what is missing counts as nothing. All features are 0 or more."""
    least = np.array([_SMALLEST if name in _SMALL else 1.0 for name in features])
    return np.asarray(np.log(np.maximum(np.nan_to_num(values.astype("float64")), 0.0) + least))


def _fall_back(candidates: pd.DataFrame, *, is_own: bool) -> FloatArray:
    """Rank by own purchases times popularity, then popularity; below 1, as a probability is."""
    popularity = candidates["n_buyers_14d"].to_numpy(dtype="float64") + candidates["segment_share"].to_numpy("float64")
    own = candidates["own_popularity"].to_numpy(dtype="float64") if is_own else 0.0
    strength = 10.0 * own + popularity
    return np.asarray(np.round(strength / (strength + 1000.0), 9))
