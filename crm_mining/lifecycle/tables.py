"""The life cycle from tables to tables: fitted once per as-of date, written as terms, decoded from them."""

from collections.abc import Iterator, Sequence
from datetime import date

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa

from crm_mining.common.arrays import FloatArray
from crm_mining.common.progress import Progress
from crm_mining.common.refits import check_refit
from crm_mining.lifecycle.chain import CHANNELS, MIN_CUSTOMERS, MONTH_COLUMNS, Chain, count_matrix, fit_chain
from crm_mining.lifecycle.hmm import ActivityHMM
from crm_mining.lifecycle.names import MAX_STATES

TERM_SCHEMA = pa.schema(
    [("as_of_date", pa.date32()), ("term", pa.string()), ("subject", pa.string()), ("object", pa.string()),
     ("value", pa.float64()), ("status", pa.string())]
)  # fmt: skip
STATE_SCHEMA = pa.schema(
    [("customer_id", pa.string()), ("month", pa.date32()), ("state", pa.string()), ("probability", pa.float64()),
     ("state_then", pa.string()), ("probability_then", pa.float64()), ("next_state", pa.string()),
     ("fitted_as_of_date", pa.date32())]
)  # fmt: skip


def chain_terms(chain: Chain) -> pd.DataFrame:
    """Write a life cycle as a table of ``term, subject, object, value, status``; :func:`chain_from_terms` reads it.

    ``state_number`` (subject: state), ``transition`` and ``n_transitions`` (from state, to state), ``state_share``
    (state), ``rate`` (state, channel), ``month_factor`` (month, channel), ``bic`` (number of states),
    ``log_likelihood``, ``n_customers``, ``n_steps``. Values are rounded to six digits after the point: the
    digits beyond depend on the machine.
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
            x, lengths = count_matrix(months[rows], chain.channels, periods)
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
        At most this many are fitted to: the first by customer_id, which is a hash and thus as good as random.

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
