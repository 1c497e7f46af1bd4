"""The life of a customer as states that nobody sees: a hidden Markov chain over months of activity.

A customer enters as `new` and is from the next month on in one of several states, each with rates of its own at which
customers buy, come to see, ask and respond. The last state is silent and final (buy till you die, Schmittlein, Morrison
and Colombo 1987; with more than two states, Schwartz, Bradlow and Fader 2014, *Model selection using database
characteristics*, Marketing Science 33). What is seen of a month is a count for each channel, Poisson distributed with
mean ``rate of the state x exposure x factor of the month``, independent given the state. The exposure says how much of
it there could have been: the part of the month that has passed, or 0 where a channel tells nothing (an answer nobody
was asked for). The factor of the month is season and trade: without it a good December would look like a change of
state.

EM, its steps for the chain and its bookkeeping are those of ``hmmlearn``. Its forward-backward pass goes from customer
to customer; here all customers are passed through month by month, those with equal months counted instead of repeated:
tests/python/lifecycle/test_lifecycle.py compares the two. Whether a silent customer has gone is hard to tell: along
that question the likelihood is nearly flat, EM creeps for hundreds of steps, and where it ends is chance. So a few
moves that nobody made are added to each state's own (:data:`_PRIOR_MOVES`), and L-BFGS goes the last part of the way,
with the gradient that an E-step gives (Salakhutdinov, Roweis and Ghahramani 2003, *Optimization with EM and
expectation-conjugate-gradient*, ICML). A fit leaves a table of terms, and scoring reads nothing else.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
from hmmlearn.base import BaseHMM
from scipy.optimize import minimize
from scipy.sparse import csr_array
from scipy.special import gammaln, softmax

from crm_mining.common.arrays import FloatArray, IntArray
from crm_mining.common.progress import Progress
from crm_mining.common.refits import check_refit
from crm_mining.common.seeds import SEED
from crm_mining.common.threads import one_thread

#: Channels: column of the counts, column of the exposures.
CHANNELS = {
    "orders": ("n_orders", "orders_exposure"),
    "visits": ("n_browsing_visits", "visits_exposure"),
    "tickets": ("n_tickets", "tickets_exposure"),
    "responses": ("n_responses", "responses_exposure"),
}
NEW, LOST = "new", "lost"
LAPSING, DORMANT = "lapsing", "dormant"
#: Names of the other living states from the busiest to the quietest, by their number.
LIVING = {
    0: (),
    1: ("active",),
    2: ("active", "occasional"),
    3: ("frequent", "active", "occasional"),
    4: ("frequent", "active", "occasional", "rare"),
    5: ("frequent", "active", "regular", "occasional", "rare"),
    6: ("frequent", "active", "regular", "occasional", "rare", "sporadic"),
}
#: The quietest living state is dormant up to this share of the usual rate of orders. The one above it is lapsing when
#: so many leave it downwards in a month, and fewer upwards; where hardly anybody leaves, few orders are a way of life.
DORMANT_RATE, LAPSING_MOVES = 0.1, 0.05
MAX_STATES = max(LIVING) + 2
#: Below these a fit is not tried.
MIN_CUSTOMERS, MIN_MONTHS = 50, 3
CONVERGED, NOT_CONVERGED, TOO_FEW = "converged", "not_converged", "too_few"
MONTH_COLUMNS = (
    "customer_id", "month", "month_number", "is_entry_seen",
    *(name for pair in CHANNELS.values() for name in pair),
)  # fmt: skip
TERM_SCHEMA = pa.schema(
    [("as_of_date", pa.date32()), ("term", pa.string()), ("subject", pa.string()), ("object", pa.string()),
     ("value", pa.float64()), ("status", pa.string())]
)  # fmt: skip
STATE_SCHEMA = pa.schema(
    [("customer_id", pa.string()), ("month", pa.date32()), ("state", pa.string()), ("probability", pa.float64()),
     ("state_then", pa.string()), ("probability_then", pa.float64()), ("next_state", pa.string()),
     ("fitted_as_of_date", pa.date32())]
)  # fmt: skip
#: Counts beyond this say no more than this one does.
_MAX_COUNT = 31.0
_MIN_RATE = 1e-6
#: A month's factor is pulled to 1 as by so many events at the usual rate.
_PRIOR_EVENTS = 10.0
#: Rates of the living states at the start, as factors of the mean rate, spread evenly in logarithms.
_BUSIEST, _QUIETEST = 4.0, 0.05
_STAY = 0.85
#: Moves added to those of each state, spread as at the start, and to the first ones, spread evenly. On eight draws from
#: the chain of crm_mining.synth the worst transition was 0.041 off on average; with 10 moves 0.048, with 100 0.054, and
#: 0.05 to 0.28 without any.
_PRIOR_MOVES = 30.0
#: Steps of EM before L-BFGS takes over; both stop where a step gains next to nothing.
_EM_STEPS, _FIRST_CLIMB, _GAIN = 10, 10, 1e-8


@dataclass(frozen=True)
class _Batch:
    """Months of many customers, laid out month by month: first all first months, then all second ones.

    Equal rows are one row, equal sequences one sequence. Sequences stand by falling length, so that those which
    reach month t are the first ``reach[t]`` of them.
    """

    rows: FloatArray  # distinct rows, shape (n_rows, n_columns)
    row: IntArray  # row of each cell, shape (n_cells,)
    reach: IntArray  # shape (longest,)
    start: IntArray  # first cell of each month, shape (longest,)
    weight: FloatArray  # how many sequences each stands for, shape (n_sequences,)
    to_rows: csr_array  # sums over cells, weighted, to sums over rows
    cell: IntArray  # cell of each row of the input, shape (n_samples,)


def _batch(x: FloatArray, lengths: IntArray) -> _Batch:
    frame = pd.DataFrame(x)
    of_row = frame.groupby(list(frame.columns), sort=False).ngroup().to_numpy(dtype="int64")
    first = np.unique(of_row, return_index=True)[1]
    begin = np.concatenate([[0], np.cumsum(lengths)[:-1]])
    position = np.arange(len(x)) - np.repeat(begin, lengths)
    grid = np.full((len(lengths), int(lengths.max())), -1, dtype="int64")
    grid[np.repeat(np.arange(len(lengths)), lengths), position] = of_row
    whole = np.ascontiguousarray(grid).view(np.dtype((np.void, grid.shape[1] * 8))).ravel()
    _, example, which, counts = np.unique(whole, return_index=True, return_inverse=True, return_counts=True)
    order = np.lexsort((example, -lengths[example]))
    rank = np.empty(len(order), dtype="int64")
    rank[order] = np.arange(len(order))
    grid, weight = grid[example[order]], counts[order].astype("float64")
    reach = (grid >= 0).sum(axis=0)
    start = np.concatenate([[0], np.cumsum(reach)[:-1]])
    row = np.concatenate([grid[:n, t] for t, n in enumerate(reach)])
    cell_weight = np.concatenate([weight[:n] for n in reach])
    to_rows = csr_array((cell_weight, (row, np.arange(len(row)))), shape=(len(first), len(row)))
    cell = start[position] + np.repeat(rank[which], lengths)
    return _Batch(x[first], row, reach, start, weight, to_rows, cell)


class ActivityHMM(BaseHMM):  # type: ignore[misc]
    """Hidden Markov model of counts in several channels, with exposures and factors of the months.

    Parameters
    ----------
    n_components : int
        States, the last of them silent and final.
    n_channels, n_silent, n_periods : int
        Channels, how many of them (the first ones) are silent in the last state, and distinct months.
    random_state : int, optional
        None starts from evenly spread rates, a number from rates and transitions drawn around them.
    n_iter, tol
        As in ``hmmlearn``; ``tol`` is a gain of log-likelihood.

    Attributes
    ----------
    rates_ : array of shape (n_components, n_channels)
        Expected count for an exposure of 1 in a month of factor 1.
    factors_ : array of shape (n_periods, n_channels)
        Factors of the months.

    Notes
    -----
    Rows of X: the month's position, the counts, the exposures; shape (n_samples, 1 + 2 n_channels).
    """

    def __init__(
        self,
        n_components: int = 4,
        *,
        n_channels: int = 1,
        n_silent: int = 1,
        n_periods: int = 1,
        random_state: int | None = None,
        n_iter: int = 100,
        tol: float = 1e-2,
    ) -> None:
        super().__init__(
            n_components, random_state=random_state, n_iter=n_iter, tol=tol, params="str", init_params="",
            implementation="scaling", startprob_prior=1 + _PRIOR_MOVES / n_components,
            transmat_prior=1 + _PRIOR_MOVES * _usual_moves(n_components),
        )  # fmt: skip
        self.n_channels = n_channels
        self.n_silent = n_silent
        self.n_periods = n_periods

    def _init(self, X: FloatArray, lengths: IntArray | None = None) -> None:  # noqa: N803
        self._check_and_set_n_features(X)
        if hasattr(self, "rates_"):
            return
        counts, exposure = np.split(X[:, 1:], 2, axis=1)
        mean = np.maximum(counts.sum(axis=0) / np.maximum(exposure.sum(axis=0), 1e-9), _MIN_RATE)
        n_living = self.n_components - 1
        spread = np.geomspace(_BUSIEST, _QUIETEST, n_living) if n_living > 1 else np.ones(1)
        move = _usual_moves(self.n_components)
        start = np.full(self.n_components, 1 / self.n_components)
        if self.random_state is not None:
            draw = np.random.default_rng(self.random_state)
            spread = np.sort(spread * np.exp(draw.normal(0, 0.7, n_living)))[::-1]
            move *= np.exp(draw.normal(0, 0.5, move.shape))
            start *= np.exp(draw.normal(0, 0.5, start.shape))
        self.startprob_ = start / start.sum()
        self.transmat_ = move / move.sum(axis=1, keepdims=True)
        self.rates_ = self._silenced(np.outer(np.append(spread, spread[-1]), mean))
        self.factors_ = np.ones((self.n_periods, self.n_channels))

    def _get_n_fit_scalars_per_param(self) -> dict[str, int]:
        n_living = self.n_components - 1
        return {
            "s": n_living,
            "t": n_living * n_living,
            "r": self.n_components * self.n_channels - self.n_silent + (self.n_periods - 1) * self.n_channels,
        }

    def _silenced(self, rates: FloatArray) -> FloatArray:
        rates = np.maximum(rates, _MIN_RATE)
        rates[-1, : self.n_silent] = 0.0
        return rates

    def _expected(self, X: FloatArray) -> FloatArray:  # noqa: N803
        """Exposure times factor of the month, shape (n_samples, n_channels)."""
        exposure = X[:, 1 + self.n_channels :]
        return np.asarray(exposure * self.factors_[X[:, 0].astype("int64")], dtype="float64")

    def _compute_log_likelihood(self, X: FloatArray) -> FloatArray:  # noqa: N803
        counts, expected = X[:, 1 : 1 + self.n_channels], self._expected(X)
        is_seen = expected > 0
        counts = np.where(is_seen, counts, 0.0)
        of_data = (counts * np.log(np.where(is_seen, expected, 1.0)) - gammaln(counts + 1)).sum(axis=1)
        log_rates = np.log(np.where(self.rates_ > 0, self.rates_, 1.0))
        log_likelihood = counts @ log_rates.T - expected @ self.rates_.T + of_data[:, None]
        log_likelihood[counts[:, : self.n_silent].sum(axis=1) > 0, -1] = -np.inf
        return np.asarray(log_likelihood, dtype="float64")

    def _compute_likelihood(self, X: FloatArray) -> FloatArray:  # noqa: N803
        return np.asarray(np.exp(self._compute_log_likelihood(X)), dtype="float64")

    def _passes(self, batch: _Batch) -> tuple[float, FloatArray, FloatArray, FloatArray]:
        """Log-likelihood, filtered and smoothed probabilities of each cell, and expected transitions."""
        log_likelihood = self._compute_log_likelihood(batch.rows)
        top = log_likelihood.max(axis=1, keepdims=True)
        # Where only a state that can't be reached would do, every state does a little.
        seen = np.exp(np.maximum(log_likelihood - top, -600.0)) * (log_likelihood > -np.inf)
        seen_of, reach, start = seen[batch.row], batch.reach, batch.start
        ahead, back, scale = np.empty_like(seen_of), np.ones_like(seen_of), np.empty(len(seen_of))
        for t, n in enumerate(reach):
            here = slice(start[t], start[t] + n)
            before = self.startprob_ if t == 0 else ahead[start[t - 1] : start[t - 1] + n] @ self.transmat_
            joint = before * seen_of[here]
            scale[here] = np.maximum(joint.sum(axis=1), 1e-300)
            ahead[here] = joint / scale[here, None]
        moves = np.zeros_like(self.transmat_)
        for t in range(len(reach) - 2, -1, -1):
            n = reach[t + 1]
            then = slice(start[t + 1], start[t + 1] + n)
            message = seen_of[then] * back[then] / scale[then, None]
            here = slice(start[t], start[t] + n)
            back[here] = message @ self.transmat_.T
            moves += (ahead[here] * batch.weight[:n, None]).T @ message
        total = float(batch.to_rows.sum(axis=1) @ top[:, 0]) + float((batch.to_rows @ np.log(scale)).sum())
        smoothed = ahead * back
        return total, ahead, smoothed / smoothed.sum(axis=1, keepdims=True), moves * self.transmat_

    def _do_estep(self, X: FloatArray, lengths: IntArray) -> tuple[dict[str, FloatArray], float]:  # noqa: N803
        prepared = getattr(self, "_prepared", None)
        if prepared is None or prepared[0] is not X:
            self._prepared = prepared = (X, _batch(X, np.asarray(lengths)))
        batch = prepared[1]
        log_likelihood, _, smoothed, moves = self._passes(batch)
        first = smoothed[: batch.reach[0]] * batch.weight[:, None]
        return {"start": first.sum(axis=0), "trans": moves, "rows": batch.to_rows @ smoothed}, log_likelihood

    def _do_mstep(self, stats: dict[str, FloatArray]) -> None:
        super()._do_mstep(stats)
        seen, usual = self._by_state(stats["rows"])
        self.rates_ = self._silenced(seen / np.maximum(usual, 1e-12))
        # Factors given the rates: one step of ECM (Meng & Rubin 1993), with their Gamma prior.
        seen, usual = self._by_period(stats["rows"])
        self.factors_ = (seen + _PRIOR_EVENTS) / (usual + _PRIOR_EVENTS)

    def _by_state(self, of_state: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Events of each state and channel, and how many there would be at a rate of 1."""
        rows = self._prepared[1].rows
        expected = self._expected(rows)
        counts = np.where(expected > 0, rows[:, 1 : 1 + self.n_channels], 0)
        return of_state.T @ counts, of_state.T @ expected

    def _by_period(self, of_state: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Events of each period and channel, and how many there would be at a factor of 1."""
        rows = self._prepared[1].rows
        counts = np.where(self._expected(rows) > 0, rows[:, 1 : 1 + self.n_channels], 0)
        seen, usual = (np.zeros((self.n_periods, self.n_channels)) for _ in range(2))
        np.add.at(seen, rows[:, 0].astype("int64"), counts * of_state.sum(axis=1, keepdims=True))
        np.add.at(usual, rows[:, 0].astype("int64"), (of_state @ self.rates_) * rows[:, 1 + self.n_channels :])
        return seen, usual

    def _compute_lower_bound(self, curr_logprob: float) -> float:
        """Add the priors of moves and factors: this sum is what no step of EM lets fall."""
        of_moves = ((self.transmat_prior - 1) * np.log(np.maximum(self.transmat_, 1e-300)))[:-1].sum()
        of_start = ((self.startprob_prior - 1) * np.log(np.maximum(self.startprob_, 1e-300))).sum()
        of_factors = _PRIOR_EVENTS * (np.log(self.factors_) - self.factors_).sum()
        return float(curr_logprob + of_moves + of_start + of_factors)

    def climb(self, X: FloatArray, lengths: IntArray, n_steps: int) -> bool:  # noqa: N803
        """Go on from where EM has come to, by L-BFGS; :func:`_compute_lower_bound` rises from step to step.

        Parameters
        ----------
        X, lengths
            As fitted to.
        n_steps : int
            Steps at most.

        Returns
        -------
        bool
            Whether it has come to where a step gains next to nothing.
        """
        n, is_free = self.n_components, self.rates_ > 0
        sizes = np.cumsum([n, (n - 1) * n, int(is_free.sum())])

        def take(point: FloatArray) -> None:
            start, moves, rates, factors = np.split(point / unit, sizes)
            self.startprob_ = softmax(start)
            self.transmat_ = np.vstack([softmax(moves.reshape(n - 1, n), axis=1), np.eye(n)[-1]])
            self.rates_ = self.rates_.copy()
            self.rates_[is_free] = np.exp(rates)
            self.factors_ = np.exp(factors).reshape(self.factors_.shape)

        def slope(stats: dict[str, FloatArray]) -> tuple[FloatArray, FloatArray]:
            """Gradient in logarithms, and the events that each coordinate rests on."""
            start = stats["start"] + self.startprob_prior - 1
            moves = (stats["trans"] + self.transmat_prior - 1)[:-1]
            (of_state, at_rate), (of_period, at_factor) = self._by_state(stats["rows"]), self._by_period(stats["rows"])
            expected = (
                start.sum() * self.startprob_,
                moves.sum(axis=1, keepdims=True) * self.transmat_[:-1],
                (self.rates_ * at_rate)[is_free],
                self.factors_ * (at_factor + _PRIOR_EVENTS),
            )
            seen = (start, moves, of_state[is_free], of_period + _PRIOR_EVENTS)
            flat = [np.concatenate([part.ravel() for part in parts]) for parts in (seen, expected)]
            return flat[0] - flat[1], flat[0]

        def fall(point: FloatArray) -> tuple[float, FloatArray]:
            take(point)
            stats, log_likelihood = self._do_estep(X, lengths)
            return -self._compute_lower_bound(log_likelihood), -slope(stats)[0] / unit

        # A coordinate's curvature is about the number of events that it rests on.
        unit = np.sqrt(slope(self._do_estep(X, lengths)[0])[1] + 1)
        here = (self.startprob_, self.transmat_[:-1], self.rates_[is_free], self.factors_)
        begin = unit * np.log(np.maximum(np.concatenate([part.ravel() for part in here]), _MIN_RATE))
        found = minimize(
            fall, begin, jac=True, method="L-BFGS-B", options={"maxiter": n_steps, "ftol": _GAIN, "maxcor": 20}
        )
        take(found.x)
        self.n_climbed_ = getattr(self, "n_climbed_", 0) + int(found.nit)
        return bool(found.success)

    def decode_batch(self, X: FloatArray, lengths: IntArray) -> tuple[FloatArray, FloatArray]:  # noqa: N803
        """Give each row's state probabilities: knowing the months up to it, and knowing all months.

        Parameters
        ----------
        X : array of shape (n_samples, 1 + 2 n_channels)
            As in the notes of the class.
        lengths : array of shape (n_sequences,)
            Rows of each customer.

        Returns
        -------
        tuple of arrays of shape (n_samples, n_components)
            Rows sum to 1.
        """
        batch = _batch(X, lengths)
        _, filtered, smoothed, _ = self._passes(batch)
        return filtered[batch.cell], smoothed[batch.cell]


def _usual_moves(n_states: int) -> FloatArray:
    """Where one goes from each state before anything is known: mostly nowhere; from the last one never."""
    move = np.full((n_states, n_states), (1 - _STAY) / (n_states - 1))
    np.fill_diagonal(move, _STAY)
    move[-1] = np.eye(n_states)[-1]
    return move


# ---------------------------------------------------------------------------------------------------------------- fit


@dataclass(frozen=True)
class Chain:
    """A fitted life cycle.

    Parameters
    ----------
    states : tuple of str
        ``new`` first, then by falling rate of orders (:func:`name_states`), ``lost`` last.
    transitions : array of shape (n_states, n_states)
        Rows sum to 1; the row of ``new`` is how lives go on after the month of entry.
    moves : array of shape (n_states, n_states)
        Expected number of each transition among the customers fitted to.
    shares : array of shape (n_states,)
        Of the months after entry; for customers whose entry nobody saw.
    channels : tuple of str
        Those of :data:`CHANNELS` in which anything happened.
    rates : array of shape (n_states - 1, n_channels)
        Of all states but ``new``, expected counts in a usual month.
    periods : tuple of date
        Months, ascending.
    factors : array of shape (n_periods, n_channels)
        Of the months.
    bic : dict
        Number of states to its criterion; the least was chosen.
    log_likelihood : float
        NaN where nothing was fitted.
    n_customers, n_steps : int
        Customers fitted to; steps of EM and of L-BFGS.
    status : str
        ``converged``; ``not_converged`` (usable; more steps would still have moved it a little); ``too_few``: fewer
        than :data:`MIN_CUSTOMERS` customers, :data:`MIN_MONTHS` months or no orders, so that assumed rates are used.
    """

    states: tuple[str, ...]
    transitions: FloatArray
    moves: FloatArray
    shares: FloatArray
    channels: tuple[str, ...]
    rates: FloatArray
    periods: tuple[date, ...]
    factors: FloatArray
    bic: dict[int, float]
    log_likelihood: float
    n_customers: int
    n_steps: int
    status: str


@one_thread()
def fit_chain(
    months: pd.DataFrame,
    n_states: tuple[int, int] = (4, 6),
    *,
    n_starts: int = 3,
    n_steps: int = 150,
    seed: int = SEED,
) -> Chain:
    """Fit a life cycle, the number of states chosen by BIC.

    Parameters
    ----------
    months : DataFrame
        :data:`MONTH_COLUMNS`, sorted by customer_id and month. Customers whose entry nobody saw are left out.
    n_states : tuple of int
        Least and greatest number of states, ``new`` and ``lost`` among them; 3 to 8.
    n_starts : int
        Starts for the chosen number: one evenly spread, the others drawn around it.
    n_steps : int
        Steps at most after the first ones.
    seed : int
        Of the starts.

    Returns
    -------
    Chain
        Finite throughout, but for the log-likelihood where nothing was fitted.

    Raises
    ------
    ValueError
        When ``n_states`` or ``n_starts`` is outside its range; the message names it.
    """
    low, high = n_states
    if not 3 <= low <= high <= MAX_STATES:
        raise ValueError(f"lifecycle_states is {low} to {high}; allowed: from 3 up to {MAX_STATES}, least first")
    if n_starts < 1:
        raise ValueError(f"n_starts is {n_starts}; allowed: 1 and more")
    seen = months[months["is_entry_seen"] & (months["month_number"] > 0)]
    channels = tuple(
        name
        for name, (count, exposure) in CHANNELS.items()
        if name == "orders" or ((seen[count] > 0) & (seen[exposure] > 0)).any()
    )
    periods = tuple(sorted({month.date() for month in pd.to_datetime(months["month"])}))
    x, lengths = _matrix(seen, channels, periods)
    shape = {
        "n_channels": len(channels),
        "n_silent": len(set(channels) - {"responses"}),
        "n_periods": max(len(periods), 1),
    }
    n_months = len(set(seen["month"]))
    if len(lengths) < MIN_CUSTOMERS or n_months < MIN_MONTHS or seen["n_orders"].sum() < MIN_CUSTOMERS:
        model = ActivityHMM(min(max(low, 5), high) - 1, **shape)
        model._init(x if len(x) else np.ones((1, 1 + 2 * len(channels))))
        return _as_chain(model, channels, periods, None, {}, len(lengths), TOO_FEW)

    progress = Progress("life cycles fitted", high - low + n_starts + 1)

    def start(done: int, k: int, number: int | None = None) -> ActivityHMM:
        model = ActivityHMM(k - 1, **shape, n_iter=_EM_STEPS, random_state=number)
        model.fit(x, lengths)
        model.climb(x, lengths, _FIRST_CLIMB)
        progress.update(done)
        return model

    fits = {k: start(k - low + 1, k) for k in range(low, high + 1)}
    bic = {k: _bic(model, x, lengths) for k, model in fits.items()}
    chosen = min(bic, key=lambda k: (bic[k], k))
    starts = [fits[chosen]] + [start(high - low + 1 + i, chosen, seed + i) for i in range(1, n_starts)]
    reached = [model._compute_lower_bound(model._do_estep(x, lengths)[1]) for model in starts]
    best = starts[int(np.argmax(reached))]
    status = CONVERGED if best.climb(x, lengths, n_steps) else NOT_CONVERGED
    progress.update(high - low + n_starts + 1)
    stats, log_likelihood = best._do_estep(x, lengths)
    taken = int(best.monitor_.iter) + best.n_climbed_
    return _as_chain(best, channels, periods, stats, bic, len(lengths), status, log_likelihood, taken)


def _bic(model: ActivityHMM, x: FloatArray, lengths: IntArray) -> float:
    n_parameters = sum(model._get_n_fit_scalars_per_param().values())
    return float(-2 * model._do_estep(x, lengths)[1] + n_parameters * np.log(len(x)))


def _matrix(months: pd.DataFrame, channels: Sequence[str], periods: Sequence[date]) -> tuple[FloatArray, IntArray]:
    """Rows of :class:`ActivityHMM` and the number of rows of each customer."""
    position = pd.Series(range(len(periods)), index=pd.to_datetime(list(periods)), dtype="float64")
    exposures = [months[CHANNELS[name][1]].to_numpy(dtype="float64") for name in channels]
    counts = [
        np.where(exposure > 0, np.clip(months[CHANNELS[name][0]].to_numpy(dtype="float64"), 0, _MAX_COUNT), 0.0)
        for name, exposure in zip(channels, exposures, strict=True)
    ]
    x = np.column_stack([pd.to_datetime(months["month"]).map(position).to_numpy(dtype="float64"), *counts, *exposures])
    lengths = np.asarray(months.groupby("customer_id", sort=False).size(), dtype="int64")
    return np.ascontiguousarray(x), lengths


def _as_chain(
    model: ActivityHMM,
    channels: tuple[str, ...],
    periods: tuple[date, ...],
    stats: dict[str, FloatArray] | None,
    bic: dict[int, float],
    n_customers: int,
    status: str,
    log_likelihood: float = float("nan"),
    n_steps: int = 0,
) -> Chain:
    """Put the states in order and name them; factors of a channel have mean 1."""
    n = model.n_components
    order = np.append(np.lexsort((np.arange(n - 1), -model.rates_[:-1, 0])), n - 1)
    usual = model.factors_.mean(axis=0)
    transitions, moves = np.zeros((n + 1, n + 1)), np.zeros((n + 1, n + 1))
    transitions[0, 1:], transitions[1:, 1:] = model.startprob_[order], model.transmat_[np.ix_(order, order)]
    shares = np.append(0.0, np.full(n, 1 / n))
    if stats is not None:
        moves[0, 1:], moves[1:, 1:] = stats["start"][order], stats["trans"][np.ix_(order, order)]
        shares[1:] = stats["rows"].sum(axis=0)[order] / stats["rows"].sum()
    return Chain(
        (NEW, *name_states(model.rates_[order][:-1, 0], transitions[1:, 1:], shares[1:-1]), LOST),
        transitions,
        moves,
        shares,
        channels,
        model._silenced(model.rates_[order] * usual),
        periods,
        model.factors_ / usual,
        bic,
        log_likelihood,
        n_customers,
        n_steps,
        status,
    )


def name_states(rates: FloatArray, transitions: FloatArray, shares: FloatArray) -> tuple[str, ...]:
    """Name the living states.

    Parameters
    ----------
    rates : array of shape (n,)
        Expected orders in a usual month, falling.
    transitions : array of shape (n + 1, n + 1)
        Between them and, last, to be lost.
    shares : array of shape (n,)
        Of the months; what is usual is the mean over them.

    Returns
    -------
    tuple of str
        Of :data:`LIVING`, then ``lapsing`` and ``dormant`` where there are such; the busiest state is neither.
    """
    n = len(rates)
    is_dormant = n > 1 and rates[-1] <= DORMANT_RATE * (rates @ shares) / max(shares.sum(), 1e-12)
    at = n - 1 - int(is_dormant)
    down, up = transitions[at, at + 1 :].sum(), transitions[at, :at].sum()
    is_lapsing = at > 0 and down >= LAPSING_MOVES and down > up
    last = (*([LAPSING] if is_lapsing else []), *([DORMANT] if is_dormant else []))
    return (*LIVING[n - len(last)], *last)


# ------------------------------------------------------------------------------------------------------------- tables


def chain_terms(chain: Chain) -> pd.DataFrame:
    """Write a life cycle as a table of ``term, subject, object, value, status``; :func:`chain_from_terms` reads it.

    ``state_number`` (subject: state), ``transition`` and ``n_transitions`` (from state, to state), ``state_share``
    (state), ``rate`` (state, channel), ``month_factor`` (month, channel), ``bic`` (number of states),
    ``log_likelihood``, ``n_customers``, ``n_steps``. Values are rounded to six digits after the point: the
    ones beyond hang on where the machine keeps its numbers.
    """
    rows: list[tuple[str, str, str, float]] = []
    for i, state in enumerate(chain.states):
        rows += [("state_number", state, "", i + 1.0), ("state_share", state, "", chain.shares[i])]
        for j, other in enumerate(chain.states):
            rows += [("transition", state, other, chain.transitions[i, j])]
            rows += [("n_transitions", state, other, chain.moves[i, j])]
        if i > 0:
            rows += [("rate", state, name, chain.rates[i - 1, c]) for c, name in enumerate(chain.channels)]
    for p, month in enumerate(chain.periods):
        rows += [
            ("month_factor", month.isoformat(), name, chain.factors[p, c]) for c, name in enumerate(chain.channels)
        ]
    rows += [("bic", str(k), "", value) for k, value in chain.bic.items()]
    facts = {"log_likelihood": chain.log_likelihood, "n_customers": chain.n_customers, "n_steps": chain.n_steps}
    rows += [(name, "", "", float(value)) for name, value in facts.items()]
    frame = pd.DataFrame(rows, columns=["term", "subject", "object", "value"])
    return frame.assign(value=frame["value"].round(6).where(np.isfinite(frame["value"])), status=chain.status)


def chain_from_terms(terms: pd.DataFrame) -> Chain:
    """Read what :func:`chain_terms` wrote.

    Raises
    ------
    ValueError
        When states, transitions or rates are missing or not finite; the message says which.
    """
    of = dict(list(terms.groupby("term", sort=False)))
    for name in ("state_number", "transition", "rate", "state_share"):
        if name not in of or not np.isfinite(of[name]["value"].astype("float64")).all():
            raise ValueError(f"term {name} is missing or not finite; set the var refit to always")
    states = tuple(str(s) for s in of["state_number"].sort_values("value")["subject"])
    channels = tuple(name for name in CHANNELS if name in set(of["rate"]["object"]))
    empty = of["rate"].iloc[:0]

    def table(term: str, rows: Sequence[str], columns: Sequence[str]) -> FloatArray:
        wide = of.get(term, empty).pivot(index="subject", columns="object", values="value")
        return wide.reindex(index=list(rows), columns=list(columns)).to_numpy(dtype="float64")

    transitions = table("transition", states, states)
    months = sorted(set(of.get("month_factor", empty)["subject"]))
    facts = terms[terms["subject"] == ""].set_index("term")["value"].astype("float64")
    shares = of["state_share"].set_index("subject")["value"].reindex(list(states)).to_numpy(dtype="float64")
    bic = of.get("bic", empty)
    return Chain(
        states,
        transitions / transitions.sum(axis=1, keepdims=True),
        table("n_transitions", states, states),
        shares,
        channels,
        table("rate", states[1:], channels),
        tuple(date.fromisoformat(month) for month in months),
        table("month_factor", months, channels),
        {int(k): float(v) for k, v in zip(bic["subject"], bic["value"], strict=True)},
        float(facts["log_likelihood"]),
        int(facts["n_customers"]),
        int(facts["n_steps"]),
        str(terms["status"].iloc[0]),
    )


def decode_months(months: pd.DataFrame, chain: Chain) -> tuple[FloatArray, FloatArray]:
    """Give the probability of each state in each month.

    Parameters
    ----------
    months : DataFrame
        :data:`MONTH_COLUMNS`, sorted by customer_id and month, whole customers.
    chain : Chain
        As fitted. A month it has not seen gets the mean factor of the same calendar month, or 1.

    Returns
    -------
    tuple of arrays of shape (n_rows, n_states)
        What was known at the end of each month, and what the later months make of it. Rows sum to 1; the month of
        entry is ``new`` for certain, and no other month is. A customer's rows depend on the customer and the chain
        alone.
    """
    periods = tuple(sorted({month.date() for month in pd.to_datetime(months["month"])}))
    n = len(chain.states)
    model = ActivityHMM(
        n - 1,
        n_channels=len(chain.channels),
        n_silent=len(set(chain.channels) - {"responses"}),
        n_periods=max(len(periods), 1),
    )
    model.rates_, model.transmat_ = chain.rates, chain.transitions[1:, 1:]
    model.factors_ = _factors(chain, periods)
    then, now = np.zeros((len(months), n)), np.zeros((len(months), n))
    is_seen = months["is_entry_seen"].to_numpy(dtype="bool")
    is_entry = is_seen & (months["month_number"].to_numpy() == 0)
    then[is_entry, 0] = now[is_entry, 0] = 1.0
    for rows, start in ((is_seen & ~is_entry, chain.transitions[0, 1:]), (~is_seen, chain.shares[1:])):
        if rows.any():
            model.startprob_ = start / start.sum()
            x, lengths = _matrix(months[rows], chain.channels, periods)
            then[rows, 1:], now[rows, 1:] = model.decode_batch(x, lengths)
    return then, now


def _factors(chain: Chain, periods: Sequence[date]) -> FloatArray:
    known = {month: chain.factors[i] for i, month in enumerate(chain.periods)}
    by_calendar = {
        m: np.mean([f for month, f in known.items() if month.month == m], axis=0) for m in {k.month for k in known}
    }
    usual = np.ones(len(chain.channels))
    found = [known.get(month, by_calendar.get(month.month, usual)) for month in periods]
    return np.array(found).reshape(len(periods), len(chain.channels)) if found else np.ones((1, len(chain.channels)))


def fit_from_tables(
    months: duckdb.DuckDBPyRelation,
    stored: duckdb.DuckDBPyRelation | None = None,
    *,
    refit: str = "auto",
    n_states: Sequence[int] = (4, 6),
    sample_customers: int = 20_000,
) -> pa.Table:
    """Fit the life cycle of the as-of date, where it asks for a fit.

    Parameters
    ----------
    months : relation
        :data:`MONTH_COLUMNS` and ``as_of_date``, one row per customer and month.
    stored : relation, optional
        ``as_of_date`` of the fits that exist.
    refit : str
        ``auto``: where the as-of date has no fit; ``always``; ``never``.
    n_states : sequence of int
        Least and greatest number of states.
    sample_customers : int
        Fitted to at most so many: the first by customer_id, which is a hash and thus as good as random.

    Returns
    -------
    Table
        ``as_of_date`` and the columns of :func:`chain_terms`; no rows when there was nothing to fit.

    Raises
    ------
    ValueError
        When a parameter is outside its range; the message names it.
    """
    check_refit(refit)
    if len(n_states) != 2:
        raise ValueError(f"lifecycle_states is {list(n_states)}; allowed: two numbers, least and greatest")
    if sample_customers < MIN_CUSTOMERS:
        raise ValueError(f"lifecycle_sample_customers is {sample_customers}; allowed: {MIN_CUSTOMERS} and more")
    days = {day for (day,) in months.project("as_of_date").distinct().fetchall()} if refit != "never" else set()
    known = {day for (day,) in stored.fetchall()} if stored is not None and refit == "auto" else set()
    fits = [TERM_SCHEMA.empty_table()]
    for day in sorted(days - known):
        of_day = months.filter(duckdb.ColumnExpression("as_of_date") == duckdb.ConstantExpression(day))
        chosen = of_day.project("customer_id").distinct().order("customer_id").limit(sample_customers)
        rows = of_day.set_alias("months").join(chosen.set_alias("chosen"), "customer_id", how="semi")
        frame = rows.project(", ".join(MONTH_COLUMNS)).order("customer_id, month").df()
        chain = fit_chain(frame, (int(n_states[0]), int(n_states[1])))
        terms = chain_terms(chain).assign(as_of_date=day)
        fits.append(pa.Table.from_pandas(terms, schema=TERM_SCHEMA, preserve_index=False))
    return pa.concat_tables(fits)


def decode_from_tables(
    months: duckdb.DuckDBPyRelation, terms: duckdb.DuckDBPyRelation, *, batch_customers: int = 10_000
) -> pa.RecordBatchReader:
    """Decode every customer's months with the last stored fit, batch by batch.

    Parameters
    ----------
    months : relation
        As in :func:`fit_from_tables`, of one as-of date.
    terms : relation
        As :func:`fit_from_tables` returns it; the fit of the as-of date or, where it has none, the last before it.
    batch_customers : int
        Customers decoded at a time; memory holds one batch.

    Returns
    -------
    RecordBatchReader
        The columns of :data:`STATE_SCHEMA` and, filled in each customer's last month only, ``p_1`` to ``p_8``: the
        probabilities of the states by their number.

    Raises
    ------
    ValueError
        When no fit is stored on or before the as-of date.
    """
    schema = pa.schema([*STATE_SCHEMA, *((f"p_{i}", pa.float64()) for i in range(1, MAX_STATES + 1))])
    customers = months.project("customer_id, as_of_date").distinct().order("customer_id").df()
    fits = terms.df()
    fits["as_of_date"] = pd.to_datetime(fits["as_of_date"])

    def batches() -> Iterator[pa.RecordBatch]:
        if customers.empty:
            return
        day = pd.to_datetime(customers["as_of_date"]).max()
        fitted = fits.loc[fits["as_of_date"] <= day, "as_of_date"].max()
        if pd.isna(fitted):
            raise ValueError(f"as_of_date {day:%Y-%m-%d} has no fit on or before it; set the var refit to auto")
        chain = chain_from_terms(fits[fits["as_of_date"] == fitted])
        progress, ids = Progress("customers' lives decoded", len(customers)), customers["customer_id"].to_numpy()
        for begin in range(0, len(ids), batch_customers):
            end = min(begin + batch_customers, len(ids))
            is_here = duckdb.ColumnExpression("customer_id").between(
                duckdb.ConstantExpression(ids[begin]), duckdb.ConstantExpression(ids[end - 1])
            )
            frame = months.filter(is_here).project(", ".join(MONTH_COLUMNS)).order("customer_id, month").df()
            rows = _states(frame, chain).assign(fitted_as_of_date=fitted.date())
            yield pa.RecordBatch.from_pandas(rows, schema=schema, preserve_index=False)
            progress.update(end)

    return pa.RecordBatchReader.from_batches(schema, batches())


def _states(months: pd.DataFrame, chain: Chain) -> pd.DataFrame:
    then, now = (probability.round(9) for probability in decode_months(months, chain))
    names = np.array(chain.states)
    ahead = (now @ chain.transitions).round(9)
    last = ~months["customer_id"].duplicated(keep="last").to_numpy()
    found = pd.DataFrame(
        {
            "customer_id": months["customer_id"],
            "month": pd.to_datetime(months["month"]).dt.date,
            "state": names[now.argmax(axis=1)],
            "probability": now.max(axis=1),
            "state_then": names[then.argmax(axis=1)],
            "probability_then": then.max(axis=1),
            "next_state": names[ahead.argmax(axis=1)],
        }
    )
    for i in range(MAX_STATES):
        known = now[:, i] if i < len(names) else np.full(len(months), np.nan)
        found[f"p_{i + 1}"] = np.where(last, known, np.nan)
    return found
