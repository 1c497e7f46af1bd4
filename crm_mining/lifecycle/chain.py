"""The life of a customer as hidden states: a Markov chain over months of activity.

A customer enters as `new` and is from the next month on in one of several states, each with rates of its own at which
customers buy, come to see, ask and respond. The last state is silent and final (buy till you die, Schmittlein, Morrison
and Colombo 1987; with more than two states, Schwartz, Bradlow and Fader 2014, *Model selection using database
characteristics*, Marketing Science 33). What is seen of a month is a count for each channel, Poisson distributed with
mean ``rate of the state x exposure x factor of the month``, independent given the state. The exposure says how much of
it there could have been: the part of the month that has passed, or 0 where a channel is not informative (an answer that
nobody was asked for). The factor of the month is season and trade: without it a good December would look like a change
of state.

The model is fitted by EM and L-BFGS (:mod:`crm_mining.lifecycle.hmm`), the number of states chosen by BIC. A fit leaves
a table of terms, and scoring reads nothing else.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd

from crm_mining.common.arrays import FloatArray, IntArray
from crm_mining.common.progress import Progress
from crm_mining.common.seeds import SEED
from crm_mining.common.threads import one_thread
from crm_mining.lifecycle.hmm import EM_STEPS, FIRST_CLIMB, ActivityHMM
from crm_mining.lifecycle.names import LOST, MAX_STATES, NEW, name_states

#: Channels: column of the counts, column of the exposures.
CHANNELS = {
    "orders": ("n_orders", "orders_exposure"),
    "visits": ("n_browsing_visits", "visits_exposure"),
    "tickets": ("n_tickets", "tickets_exposure"),
    "responses": ("n_responses", "responses_exposure"),
}
#: Below these a fit is not tried.
MIN_CUSTOMERS, MIN_MONTHS = 50, 3
CONVERGED, NOT_CONVERGED, TOO_FEW = "converged", "not_converged", "too_few"
MONTH_COLUMNS = (
    "customer_id", "month", "month_number", "is_entry_seen",
    *(name for pair in CHANNELS.values() for name in pair),
)  # fmt: skip
#: Counts beyond this say no more than this one does.
_MAX_COUNT = 31.0


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
    x, lengths = count_matrix(seen, channels, periods)
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
        model = ActivityHMM(k - 1, **shape, n_iter=EM_STEPS, random_state=number)
        model.fit(x, lengths)
        model.climb(x, lengths, FIRST_CLIMB)
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


def count_matrix(months: pd.DataFrame, channels: Sequence[str], periods: Sequence[date]) -> tuple[FloatArray, IntArray]:
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
