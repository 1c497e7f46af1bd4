"""Choose among candidate models, calibrate them and judge the choice once.

Every candidate is cross-fitted: the terms, the penalty and the model of a fold are learned from its training rows
alone, and calibration from the out-of-fold scores. The champion is the simplest candidate whose out-of-fold loss (log
loss; squared error for amounts) is within one standard error of the best one's (Breiman et al. 1984), the standard
error being that of the difference between the two on the same rows. It is used where its 95 % interval lies clear of
the best baseline's (ROC area; root mean squared error for amounts), out of fold and again on the hold-out; otherwise
the baseline is used, and the status says so.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from crm_mining.common.arrays import BoolArray, FloatArray, IntArray
from crm_mining.common.threads import one_thread
from crm_mining.evaluation.thresholds import choose_threshold
from crm_mining.prediction import calibration, encoding, linear, metrics, models
from crm_mining.prediction import candidates as all_candidates
from crm_mining.prediction.encoding import Encoding
from crm_mining.prediction.folds import fold_ids
from crm_mining.prediction.models import Candidate, Model, Training

CLASSIFICATION, REGRESSION = "classification", "regression"
#: What the status of a fit can be.
CHAMPION = "champion"
NOT_BETTER = "baseline: no candidate is clearly better"
NOT_CONFIRMED = "baseline: the hold-out does not confirm the champion"
ONE_CLASS = "baseline: one outcome only"
TOO_FEW = "baseline: too few rows"
MIN_ROWS, MIN_CLASS = 50, 15
BASELINE_NAMES = ("prior", "last_period", "rfm_rule")
#: Features that are shuffled for their importance, those that move the scores most, and the rows that tell it.
IMPORTANCE_FEATURES, IMPORTANCE_ROWS = 20, 2000
SPLIT_CV, SPLIT_HOLDOUT = "cross_validation", "holdout"


@dataclass(frozen=True)
class Baselines:
    """Columns that the simple rules go by; None leaves a rule out. The prior is always among the baselines.

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


@dataclass(frozen=True)
class TargetFit:
    """What was learned of one target.

    Parameters
    ----------
    target, kind : str
        Name, and ``classification`` or ``regression``.
    encoded : Encoding
        Terms.
    models : dict
        Name to fitted, calibrated model; candidates and baselines, from the simplest.
    champion, baseline, used : str
        The best candidate, the best baseline, and which of the two scores customers.
    status : str
        ``champion``, or why the baseline is used.
    predictions : DataFrame
        Columns of :data:`crm_mining.prediction.metrics.PREDICTION_COLUMNS`: out of fold, and of the hold-out.
    metrics : DataFrame
        Columns of :data:`crm_mining.evaluation.metric_table.METRIC_COLUMNS`.
    importance : DataFrame
        ``model, feature, permutation_importance``: how much ROC area is lost (RMSE gained) when the feature is
        shuffled; for the model that is used.
    """

    target: str
    kind: str
    encoded: Encoding
    models: Mapping[str, Model]
    champion: str
    baseline: str
    used: str
    status: str
    predictions: pd.DataFrame = field(repr=False)
    metrics: pd.DataFrame = field(repr=False)
    importance: pd.DataFrame = field(repr=False)


def fit_target(
    training: pd.DataFrame,
    *,
    target: str,
    kind: str,
    features: Sequence[str],
    key: str,
    as_of: str | None = None,
    holdout: pd.DataFrame | None = None,
    baselines: Baselines | None = None,
    candidates: Mapping[str, Candidate] | None = None,
    n_folds: int = 5,
    max_rows: int = 50_000,
    n_resamples: int = 200,
    seed: int = 0,
) -> TargetFit:
    """Fit all candidates, choose one, calibrate, and judge on the hold-out.

    Parameters
    ----------
    training : DataFrame
        One row per customer (and as-of date): key, features, target (0/1 or an amount; rows where it is null are left
        out). The order of the rows does not matter.
    target, kind : str
        Column to predict; ``classification`` or ``regression``.
    features : sequence of str
        Columns to predict from.
    key, as_of : str
        Customer, and the as-of date. With two or more as-of dates in ``training`` folds are rolling origins: each
        date but the first is predicted from those before it. Otherwise customers are dealt out to ``n_folds`` folds.
    holdout : DataFrame, optional
        The last closed window: same columns. It is looked at once, after everything is chosen.
    baselines : Baselines, optional
        Columns of the simple rules.
    candidates : dict, optional
        Name to candidate, from the simplest; by default all of the kind.
    n_folds, max_rows, n_resamples, seed
        Folds; rows above which a stratified sample is fitted; bootstrap draws; seed of everything random.

    Returns
    -------
    TargetFit

    Raises
    ------
    ValueError
        For an unknown kind, missing columns, or a yes/no target that is neither 0 nor 1.
    """
    if kind not in (CLASSIFICATION, REGRESSION):
        raise ValueError(f"kind is {kind!r}; allowed: {CLASSIFICATION}, {REGRESSION}")
    rules = baselines or Baselines()
    extra = [c for c in (rules.last_period, rules.recency, rules.frequency, rules.monetary) if c is not None]
    lacking = sorted({target, key, *features, *extra, *([as_of] if as_of else [])} - set(training.columns))
    if lacking:
        raise ValueError(f"the training rows lack the columns {lacking}")
    chosen = candidates or (all_candidates.CLASSIFIERS if kind == CLASSIFICATION else all_candidates.REGRESSORS)
    columns = list(dict.fromkeys([*features, *extra]))
    with one_thread():
        data = _prepare(training, target, kind, key, as_of, max_rows, seed)
        y, groups = _outcome(data, target, kind), pd.factorize(data[key], sort=True)[0].astype("int64")
        status = _too_little(y, kind)
        whole = Training(data, y, encoding.fix(encoding.learn(data, columns), data), groups, seed)
        names = [] if status else [n for n in chosen if not (n == "poisson_regression" and _is_signed(y))]
        folds = _folds(data, y, groups, as_of, n_folds, seed)
        rule_fits = _baseline_candidates(rules, kind)
        offered = {**rule_fits, **{n: chosen[n] for n in names}}
        raw, tested = _cross_fit(offered, data, y, groups, columns, list(features), folds, kind, seed)
        if names and not tested.any():
            status, names, offered = TOO_FEW, [], rule_fits
        fitted = _fit_all(offered, whole, list(features))
        fitted, oof = _calibrate(fitted, raw, tested, y, folds, kind)
        predictions = _predictions(fitted, oof, tested, y, groups, folds)
        loss = {name: metrics.losses(y[tested], oof[name][tested], kind) for name in offered}
        # Where there is too little to learn from, it is too little for rules as well.
        is_enough = not status and tested.any()
        baseline = min(rule_fits, key=lambda n: loss[n].mean()) if is_enough else next(iter(rule_fits))
        champion = _simplest(names, loss) if names else baseline
        if not status:
            status = CHAMPION if _is_clear(predictions, champion, baseline, kind, n_resamples, seed) else NOT_BETTER
        held = None
        if holdout is not None and len(holdout):
            held = _prepare(holdout, target, kind, key, as_of, len(holdout), seed)
            ahead = _holdout_predictions(fitted, whole.encoded, held, target, kind, key)
            predictions = pd.concat([predictions, ahead], ignore_index=True)
            if status == CHAMPION and not _is_clear(ahead, champion, baseline, kind, n_resamples, seed):
                status = NOT_CONFIRMED
        used = champion if status == CHAMPION else baseline
        judged = metrics.evaluate(
            predictions, target=target, kind=kind, baseline=baseline, n_resamples=n_resamples, seed=seed
        )
        measured_on = data if held is None else held
        importance = _importance(fitted[used], whole.encoded, measured_on, target, kind, columns, seed)
    return TargetFit(
        target, kind, whole.encoded, fitted, champion, baseline, used, status, predictions, judged, importance
    )


def predict(fit: TargetFit, frame: pd.DataFrame, *, model: str | None = None) -> FloatArray:
    """Predict probabilities or amounts, shape (n,), by the model in use or a named one."""
    chosen = fit.models[model or fit.used]
    return chosen.prediction(chosen.raw(fit.encoded, frame))


def _prepare(
    frame: pd.DataFrame, target: str, kind: str, key: str, as_of: str | None, max_rows: int, seed: int
) -> pd.DataFrame:
    """Sort by key, leave out unknown outcomes, and draw a sample with the same share of each outcome and date."""
    known = frame[frame[target].notna()]
    data = known.sort_values([key, *([as_of] if as_of else [])], kind="stable", ignore_index=True)
    if len(data) <= max_rows:
        return data
    y = _outcome(data, target, kind)
    stratum = y if kind == CLASSIFICATION else (pd.Series(y).rank(pct=True) * 10).round().to_numpy()
    dates = pd.factorize(data[as_of], sort=True)[0] if as_of else np.zeros(len(data))
    shuffled = np.random.default_rng(seed).permutation(len(data))
    order = shuffled[np.lexsort((stratum[shuffled], dates[shuffled]))]
    # Evenly spaced places in an order sorted by stratum take the same share of each.
    picked = order[np.linspace(0, len(order) - 1, max_rows).round().astype(int)]
    return data.iloc[np.sort(picked)].reset_index(drop=True)


def _outcome(data: pd.DataFrame, target: str, kind: str) -> FloatArray:
    y = encoding.as_numbers(data[target])
    if np.isnan(y).any() or (kind == CLASSIFICATION and not np.isin(y, (0, 1)).all()):
        raise ValueError(f"{target} must be {'0 or 1' if kind == CLASSIFICATION else 'a finite number'} in each row")
    return y


def _is_signed(y: FloatArray) -> bool:
    return bool(y.min() < 0 or y.sum() <= 0)


def _too_little(y: FloatArray, kind: str) -> str:
    if len(y) and len(np.unique(y)) < 2:
        return ONE_CLASS
    if len(y) < MIN_ROWS or (kind == CLASSIFICATION and min(y.sum(), (1 - y).sum()) < MIN_CLASS):
        return TOO_FEW
    return ""


def _folds(
    data: pd.DataFrame, y: FloatArray, groups: IntArray, as_of: str | None, n_folds: int, seed: int
) -> list[tuple[IntArray, IntArray]]:
    if as_of is not None and data[as_of].nunique() > 1:
        date = pd.factorize(data[as_of], sort=True)[0]
        return [(np.flatnonzero(date < k), np.flatnonzero(date == k)) for k in range(1, int(date.max()) + 1)]
    if len(np.unique(groups)) < n_folds:
        return []
    fold = fold_ids(y, groups, n_folds, seed)
    return [(np.flatnonzero(fold != k), np.flatnonzero(fold == k)) for k in range(n_folds)]


def _baseline_candidates(rules: Baselines, kind: str) -> dict[str, Candidate]:
    """Build the simple rules as models, so that they are stored, calibrated and judged as the others are."""
    score = models.LOG_ODDS if kind == CLASSIFICATION else models.IDENTITY

    def prior(data: Training) -> Model:
        mean = float(data.y.mean()) if len(data.y) else 0.0
        start = calibration.prior_log_odds(data.y) if kind == CLASSIFICATION else mean
        return Model("prior", score, start)

    def last_period(data: Training) -> Model:
        name = str(rules.last_period)
        terms = data.encoded.table[data.encoded.table["feature"] == name]
        if kind == REGRESSION:
            # "value" is the amount standardised: undo that, so that the prediction is last period's amount itself.
            rows = terms[(terms["family"] == "value") & (terms["slope"] > 0)]
            if rows.empty:
                return Model("last_period", score, float(data.y.mean()))
            slope, start, lower = (float(rows[c].iloc[0]) for c in ("slope", "start", "lower"))
            return Model("last_period", score, lower - start / slope, _rule([f"{name} in its units"], [1 / slope]))
        used = data.encoded.terms(encoding.BINNED)
        used = used[used["feature"] == name]
        evidence, _ = linear.bin_evidence(data.encoded.matrix(data.frame, used["term"].tolist()), data.y)
        return Model(
            "last_period", score, calibration.prior_log_odds(data.y), _rule(used["term"].tolist(), evidence.tolist())
        )

    def rfm_rule(data: Training) -> Model:
        names: list[str] = []
        points: list[float] = []
        for column, sign in ((rules.recency, -1.0), (rules.frequency, 1.0), (rules.monetary, 1.0)):
            bins = data.encoded.terms(("bin",))
            own = bins.loc[bins["feature"] == column, "term"].tolist() if column else []
            names += own
            # Ranks of the bins from 1 to 5, which is what quintiles are where there are five bins.
            points += [sign * (1 + 4 * i / max(len(own) - 1, 1)) for i in range(len(own))]
        if kind == REGRESSION and names:
            s = data.encoded.matrix(data.frame, names) @ np.array(points)
            slope = float(np.cov(s, data.y)[0, 1] / s.var(ddof=1)) if s.var() > 0 else 0.0
            rule = _rule(names, [slope * p for p in points])
            return Model(
                "rfm_rule", score, float(data.y.mean() - slope * s.mean()), rule, bounds=models.amount_bounds(data.y)
            )
        if names and len(data.y):
            # Who buys much buys again, but does not leave: the training rows say which way the rule points.
            s = data.encoded.matrix(data.frame, names) @ np.array(points)
            if s @ (data.y - data.y.mean()) < 0:
                points = [-p for p in points]
        return Model("rfm_rule", score, 0.0, _rule(names, points))

    found: dict[str, Candidate] = {"prior": prior}
    if rules.last_period is not None:
        found["last_period"] = last_period
    if rules.recency is not None or rules.frequency is not None or rules.monetary is not None:
        found["rfm_rule"] = rfm_rule
    return found


def _rule(names: list[str], weights: list[float]) -> pd.DataFrame:
    return models.term_table(names, np.array(weights, dtype="float64"))


def _cross_fit(
    offered: Mapping[str, Candidate], data: pd.DataFrame, y: FloatArray, groups: IntArray, columns: list[str],
    features: list[str], folds: list[tuple[IntArray, IntArray]], kind: str, seed: int,
) -> tuple[dict[str, FloatArray], BoolArray]:  # fmt: skip
    """Score each test fold by models of its training rows: log-odds or amounts, and which rows have one."""
    is_only_baseline = all(name in BASELINE_NAMES for name in offered)
    raw = {name: np.zeros(len(y)) for name in offered}
    tested = np.zeros(len(y), dtype=bool)
    for train, test in folds:
        if not len(test) or not len(train) or (not is_only_baseline and _too_little(y[train], kind)):
            continue
        rows = data.iloc[train].reset_index(drop=True)
        part = Training(rows, y[train], encoding.fix(encoding.learn(rows, columns), rows), groups[train], seed)
        ahead = data.iloc[test]
        seen = encoding.fix(part.encoded, ahead)
        for name, model in _fit_all(offered, part, features).items():
            score = model.raw(seen, ahead)
            raw[name][test] = model.log_odds(score) if model.score in (models.LOG_ODDS, models.PROBABILITY) else (
                model.prediction(score))  # fmt: skip
        tested[test] = True
    return raw, tested


def _fit_all(offered: Mapping[str, Candidate], data: Training, features: list[str]) -> dict[str, Model]:
    """Fit the candidates; those beside the baselines see the features alone."""
    own = data.encoded.table["feature"].isin(features)
    seen = replace(data, encoded=replace(data.encoded, table=data.encoded.table[own]), fitted={}, _cache={})
    for name, candidate in offered.items():
        seen.fitted[name] = candidate(data if name in BASELINE_NAMES else seen)
    return seen.fitted


def _calibrate(
    fitted: dict[str, Model], raw: dict[str, FloatArray], tested: BoolArray,
    y: FloatArray, folds: list[tuple[IntArray, IntArray]], kind: str,
) -> tuple[dict[str, Model], dict[str, FloatArray]]:  # fmt: skip
    """Calibrate on the out-of-fold scores; those of a fold by the other folds', where there are others."""
    if kind == REGRESSION:
        return fitted, raw
    done, oof = {}, {}
    for name, model in fitted.items():
        if not tested.any():
            done[name] = model if name == "prior" else replace(model, calibration=calibration.platt(np.zeros(0), y))
            oof[name] = raw[name]
            continue
        line = (0.0, 1.0) if name == "prior" else calibration.calibrate(name, raw[name][tested], y[tested])
        p = np.zeros(len(y))
        for _, test in folds:
            others = tested.copy()
            others[test] = False
            a, b = line
            if name != "prior" and others.any():
                a, b = calibration.calibrate(name, raw[name][others], y[others])
            p[test] = 1 / (1 + np.exp(-(a + b * raw[name][test])))
        oof[name] = p
        calibrated = 1 / (1 + np.exp(-(line[0] + line[1] * raw[name][tested])))
        done[name] = replace(model, calibration=line, threshold=choose_threshold(calibrated))
    return done, oof


def _predictions(
    fitted: Mapping[str, Model], oof: dict[str, FloatArray], tested: BoolArray,
    y: FloatArray, groups: IntArray, folds: list[tuple[IntArray, IntArray]],
) -> pd.DataFrame:  # fmt: skip
    fold = np.zeros(len(y), dtype="int64")
    for k, (_, test) in enumerate(folds, start=1):
        fold[test] = k
    row = np.flatnonzero(tested)
    return pd.concat(
        [
            pd.DataFrame({
                "model": name, "split": SPLIT_CV, "fold": fold[row], "row": row, "group": groups[row],
                "actual": y[row], "prediction": oof[name][row], "threshold": model.threshold,
            })
            for name, model in fitted.items()
        ],
        ignore_index=True,
    )  # fmt: skip


def _holdout_predictions(
    fitted: Mapping[str, Model], encoded: Encoding, held: pd.DataFrame, target: str, kind: str, key: str
) -> pd.DataFrame:
    y, groups = _outcome(held, target, kind), pd.factorize(held[key], sort=True)[0]
    seen = encoding.fix(encoded, held)
    return pd.concat(
        [
            pd.DataFrame({
                "model": name, "split": SPLIT_HOLDOUT, "fold": 0, "row": np.arange(len(held)), "group": groups,
                "actual": y, "prediction": model.prediction(model.raw(seen, held)), "threshold": model.threshold,
            })
            for name, model in fitted.items()
        ],
        ignore_index=True,
    )  # fmt: skip


def _simplest(names: Sequence[str], loss: Mapping[str, FloatArray]) -> str:
    """Return the first in the order of simplicity that is within one standard error of the best."""
    best = min(names, key=lambda name: loss[name].mean())
    for name in names:
        more = loss[name] - loss[best]
        if more.mean() <= more.std(ddof=1) / np.sqrt(len(more)):
            return name
    return best


def _is_clear(predictions: pd.DataFrame, champion: str, baseline: str, kind: str, n_resamples: int, seed: int) -> bool:
    """Tell whether the 95 % intervals of champion and baseline lie apart, the champion's on the better side."""
    metric = "roc_auc" if kind == CLASSIFICATION else "rmse"
    ends = {}
    for name in (champion, baseline):
        own = predictions[predictions["model"] == name]
        y, p = own["actual"].to_numpy(dtype="float64"), own["prediction"].to_numpy(dtype="float64")
        found = metrics.intervals(
            y, p, own["group"].to_numpy(dtype="int64"), kind=kind, n_resamples=n_resamples or 200, seed=seed
        )
        ends[name] = found[metric][1:]
    if kind == CLASSIFICATION:
        return bool(ends[champion][0] > ends[baseline][1])
    return bool(ends[champion][1] < ends[baseline][0])


def _importance(
    model: Model, encoded: Encoding, data: pd.DataFrame, target: str, kind: str, features: Sequence[str], seed: int
) -> pd.DataFrame:
    """Shuffle one feature at a time (Breiman 2001; Fisher, Rudin & Dominici 2019), those that move scores most."""
    rng = np.random.default_rng(seed)
    rows = np.sort(rng.choice(len(data), min(len(data), IMPORTANCE_ROWS), replace=False))
    frame = data.iloc[rows].reset_index(drop=True)
    y = _outcome(frame, target, kind)
    seen = encoding.fix(encoded, frame)
    of_feature = seen.table.drop_duplicates("term").set_index("term")["feature"]
    owner = np.array([of_feature[term] for term in seen.place])

    def measure(known: Encoding) -> float:
        p = model.prediction(model.raw(known, frame))
        return metrics.roc_auc(y, p) if kind == CLASSIFICATION else -float(np.sqrt(np.mean((y - p) ** 2)))

    by_feature, names = models.contributions(model, seen, frame)
    strength = dict(zip(names, np.abs(by_feature).mean(axis=0) if len(frame) else by_feature.sum(axis=0), strict=True))
    ranked = sorted((f for f in features if strength.get(f, 0) > 0), key=lambda f: -strength[f])[:IMPORTANCE_FEATURES]
    whole = measure(seen) if len(frame) > 1 else np.nan
    lost = []
    for feature in features:
        if feature not in ranked or len(frame) < 2:
            continue
        own = owner == feature
        drops = []
        for _ in range(3):
            values = seen.values.copy()
            values[:, own] = values[np.ix_(rng.permutation(len(frame)), own)]
            drops.append(whole - measure(replace(seen, values=values)))
        lost.append((model.name, feature, float(np.mean(drops))))
    return pd.DataFrame(lost, columns=["model", "feature", "permutation_importance"])
