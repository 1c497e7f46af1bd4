"""The life cycle's library: passes against hmmlearn's own, EM, names, and what it does with hardly any data."""

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hmmlearn.base import BaseHMM

from crm_mining.lifecycle.chain import Chain, fit_chain
from crm_mining.lifecycle.evaluation import recency_rule
from crm_mining.lifecycle.hmm import ActivityHMM
from crm_mining.lifecycle.names import name_states
from crm_mining.lifecycle.tables import (
    chain_from_terms,
    chain_terms,
    decode_from_tables,
    decode_months,
    fit_from_tables,
)

PLANTED = np.array([[0.8, 0.15, 0.05], [0.1, 0.75, 0.15], [0, 0, 1.0]])
START = np.array([0.5, 0.4, 0.1])
RATES = np.array([2.0, 0.2, 0.0])


def draw(n: int = 1500, n_months: int = 24, seed: int = 1) -> pd.DataFrame:
    """Draw customers of two living states and a lost one, with orders only."""
    rng = np.random.default_rng(seed)
    entry = rng.integers(0, n_months - 2, n)
    rows = []
    for who in range(n):
        state = -1
        for month in range(entry[who], n_months):
            if month > entry[who]:
                state = int(rng.choice(3, p=START if state < 0 else PLANTED[state]))
            rows.append((f"C{who:05}", month, month - entry[who], rng.poisson(RATES[state]) if state >= 0 else 1))
    frame = pd.DataFrame(rows, columns=["customer_id", "position", "month_number", "n_orders"])
    frame["month"] = [pd.Timestamp(2023 + m // 12, m % 12 + 1, 1) for m in frame["position"]]
    zeros = dict.fromkeys(["n_browsing_visits", "n_tickets", "n_responses"], 0)
    exposures = dict.fromkeys(["visits_exposure", "tickets_exposure", "responses_exposure"], 0.0)
    return frame.assign(
        is_entry_seen=True, as_of_date=pd.Timestamp(2025, 1, 31), orders_exposure=1.0, **zeros, **exposures
    )


@pytest.fixture(scope="module")
def months() -> pd.DataFrame:
    return draw()


@pytest.fixture(scope="module")
def chain(months: pd.DataFrame) -> Chain:
    return fit_chain(months, (4, 4))


def _small_model() -> tuple[ActivityHMM, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(3)
    lengths = rng.integers(1, 12, 80)
    period = np.concatenate([np.arange(n) for n in lengths])
    exposure = rng.choice([0.0, 0.5, 1.0], (len(period), 2))
    x = np.column_stack([period, rng.poisson(0.4, (len(period), 2)) * (exposure > 0), exposure])
    model = ActivityHMM(4, n_channels=2, n_silent=1, n_periods=12, random_state=5, n_iter=30, tol=-np.inf)
    model._init(x)
    return model, x, lengths


def test_passes_are_those_of_hmmlearn() -> None:
    model, x, lengths = _small_model()
    own, own_log_likelihood = model._do_estep(x, lengths)
    assert own_log_likelihood == pytest.approx(model.score(x, lengths), abs=1e-8)
    _, smoothed = model.decode_batch(x, lengths)
    np.testing.assert_allclose(smoothed, model.predict_proba(x, lengths), atol=1e-10)
    theirs = {"nobs": 0, "start": np.zeros(4), "trans": np.zeros((4, 4))}
    begin = 0
    for n in lengths:
        lattice, _, posteriors, ahead, back = BaseHMM._fit_scaling(model, x[begin : begin + n])
        BaseHMM._accumulate_sufficient_statistics_scaling(
            model, theirs, x[begin : begin + n], lattice, posteriors, ahead, back
        )
        begin += n
    np.testing.assert_allclose(own["start"], theirs["start"], atol=1e-9)
    np.testing.assert_allclose(own["trans"], theirs["trans"], atol=1e-9)


def test_no_step_of_em_loses_likelihood() -> None:
    model, x, lengths = _small_model()
    gained = []
    model.n_iter = model.monitor_.n_iter = 1
    for _ in range(40):
        model.fit(x, lengths)
        gained.append(model.monitor_.history[-1])
    assert np.diff(gained).min() > -1e-8
    assert gained[-1] > gained[0] + 1


def test_the_last_of_the_way_goes_up_too_and_ends_where_it_is_flat() -> None:
    model, x, lengths = _small_model()
    model.n_iter = model.monitor_.n_iter = 5
    model.fit(x, lengths)
    reached = [model.monitor_.history[-1]]
    for n_steps in (1, 1, 1, 200):
        is_there = model.climb(x, lengths, n_steps)
        reached.append(model._compute_lower_bound(model._do_estep(x, lengths)[1]))
    assert is_there
    assert np.diff(reached).min() > 0
    at = reached[-1]
    for _ in range(20):  # EM finds nothing better
        model._do_mstep(model._do_estep(x, lengths)[0])
    assert model._compute_lower_bound(model._do_estep(x, lengths)[1]) == pytest.approx(at, abs=1e-3)


def test_what_was_planted_is_found(months: pd.DataFrame) -> None:
    chain = fit_chain(months, (3, 5))
    assert chain.states == ("new", "active", "lapsing", "lost")
    assert min(chain.bic, key=lambda k: chain.bic[k]) == 4
    np.testing.assert_allclose(chain.transitions[1:, 1:], PLANTED, atol=0.05)
    np.testing.assert_allclose(chain.transitions[0, 1:], START, atol=0.06)


def test_names_and_order_survive_a_refit_and_terms_hold_everything(months: pd.DataFrame, chain: Chain) -> None:
    first, again = chain, fit_chain(draw(seed=2), (4, 4), seed=99)
    assert first.states == again.states
    np.testing.assert_allclose(first.transitions, again.transitions, atol=0.08)
    read = chain_from_terms(chain_terms(first))
    assert (read.states, read.channels, read.periods) == (first.states, first.channels, first.periods)
    np.testing.assert_allclose(read.transitions, first.transitions, atol=1e-6)
    for own, stored in zip(decode_months(months, first), decode_months(months, read), strict=True):
        np.testing.assert_allclose(own, stored, atol=1e-4)


@pytest.mark.parametrize(
    ("rates", "shares", "moves", "names"),
    [
        # Of each state but the first: how many leave it upwards and downwards in a month.
        ([1.8, 0.32, 0.01], [0.1, 0.1, 0.1], [(0.06, 0.26), (0.07, 0.08)], ("active", "lapsing", "dormant")),
        # As in Online Retail II.
        (
            [5.8, 1.6, 0.52, 0.14],
            [0.01, 0.05, 0.25, 0.49],
            [(0, 0.01), (0, 0.01), (0, 0.01)],
            ("frequent", "active", "occasional", "rare"),
        ),
        ([1.0, 0.5, 0.2], [0.1, 0.1, 0.1], [(0.1, 0.1), (0.2, 0.1)], ("frequent", "active", "occasional")),
        ([1.0, 0.02], [0.4, 0.4], [(0.01, 0.01)], ("active", "dormant")),
        ([0.3], [0.9], [], ("active",)),
    ],
)
def test_names_say_how_a_state_goes_on(
    rates: list[float], shares: list[float], moves: list[tuple[float, float]], names: tuple[str, ...]
) -> None:
    n = len(rates)
    transitions = np.zeros((n + 1, n + 1))
    for i, (up, down) in enumerate(moves, start=1):
        transitions[i, i - 1], transitions[i, i + 1] = up, down
    assert name_states(np.array(rates), transitions, np.array(shares)) == names


def test_later_months_leave_what_was_known_then(months: pd.DataFrame, chain: Chain) -> None:
    earlier = months[months["position"] < 18]
    then = decode_months(months, chain)[0][(months["position"] < 18).to_numpy()]
    np.testing.assert_allclose(then, decode_months(earlier, chain)[0], atol=1e-12)


def test_batches_and_company_change_nobody(months: pd.DataFrame) -> None:
    with duckdb.connect() as con:
        con.register("drawn", months)
        con.execute(
            "create table months as select * replace (month::date as month, as_of_date::date as as_of_date) from drawn"
        )
        con.register("terms", fit_from_tables(con.table("months"), n_states=[4, 4]))
        con.execute("create table fitted as select * from terms")
        whole = decode_from_tables(con.table("months"), con.table("fitted")).read_all()
        parts = decode_from_tables(con.table("months"), con.table("fitted"), batch_customers=97).read_all()
        assert fit_from_tables(con.table("months"), con.table("fitted").project("as_of_date")).num_rows == 0
    assert whole.equals(pa.table(parts))


@pytest.mark.parametrize("kind", ["nobody", "few", "one month", "no orders", "constant"])
def test_hardly_anything_to_go_by(months: pd.DataFrame, kind: str) -> None:
    frame = {
        "nobody": months.iloc[:0],
        "few": months[months["customer_id"] < "C00010"],
        "one month": months[months["month_number"] == 0],
        "no orders": months.assign(n_orders=0),
        "constant": months.assign(n_orders=1),
    }[kind]
    chain = fit_chain(frame)
    assert chain.status == ("too_few" if kind != "constant" else chain.status)
    assert all(np.isfinite(part).all() for part in (chain.transitions, chain.rates, chain.factors, chain.shares))
    read = chain_from_terms(chain_terms(chain))
    for probabilities in decode_months(frame, read):
        assert np.isfinite(probabilities).all()
        np.testing.assert_allclose(probabilities.sum(axis=1), 1.0)


def test_wrong_parameters_are_named(months: pd.DataFrame) -> None:
    with pytest.raises(ValueError, match="lifecycle_states is 2 to 9; allowed"):
        fit_chain(months, (2, 9))


def test_the_rule_knows_the_best_thresholds() -> None:
    silence = np.array([0, 0, 1, 2, 2, 7, 8, 20])
    truth = np.array(["active", "active", "lapsing", "lapsing", "lapsing", "dormant", "dormant", "lost"])
    assert recency_rule(silence, truth).tolist() == truth.tolist()
