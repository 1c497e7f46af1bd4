"""How gaps are filled is measured, and the measurement is honest."""

import duckdb
import numpy as np
import pandas as pd
import pytest
from conftest import Build
from hypothesis import given, settings
from hypothesis import strategies as st

from crm_mining.cleaning.imputation import NEVER_FILLED, Policy, choose, choose_policies, measure_column
from crm_mining.cleaning.imputation_models import Encoder, Sample

AUTO = {"policy": "auto", "group_by": None, "constant": None}


def _people(n: int, rng: np.random.Generator, lacking: float = 0.2) -> Sample:
    """Incomes that depend on age and country and are lacking mostly among the old."""
    age = rng.integers(18, 80, n).astype(float)
    country = rng.choice(["DE", "PL", "SE"], n)
    income = np.round(20000 * np.select([country == "DE", country == "PL"], [2.0, 1.0], 3.0) * (1 + age / 100), -2)
    income *= rng.lognormal(0, 0.1, n)
    income[rng.random(n) < lacking * age / age.mean()] = np.nan
    frame = pd.DataFrame({"country": pd.array(country, "str"), "age": age, "income": income})
    return Sample(frame, ["country"], ["age", "income"])


def test_the_chosen_policy_is_never_worse_than_the_best_simple_one_on_held_out_cells(sample_build: Build) -> None:
    chosen = sample_build.query(
        """select table_name, column_name, masking, n_held_out, held_out_difference
        from marts.imputation_choices where is_auto and is_chosen and masking != 'none'"""
    )
    assert len({row[:2] for row in chosen}) >= 7
    assert [row for row in chosen if row[4] > 0] == []


def test_where_models_help_they_win_by_far(sample_build: Build) -> None:
    gains = dict(
        sample_build.query(
            """select column_name, held_out_difference / held_out_difference_error
            from marts.imputation_choices
            where is_chosen and masking = 'own_pattern' and column_name in ('income', 'unit_cost', 'channel')"""
        )
    )
    assert set(gains) == {"income", "unit_cost", "channel"}
    assert max(gains.values()) < -3


def test_every_filled_value_is_a_repair_that_names_its_policy(sample_build: Build) -> None:
    assert sample_build.query(
        """select count(*) from intermediate.int_imputed_values as filled
        where not exists (
            select 1 from marts.dq_repairs as repairs
            where repairs.column_name = filled.column_name and repairs.new_value is not null
                and repairs.source_key = split_part(filled.record_key, ':', -1)
                and contains(repairs.rule, filled.rule)
        )"""
    ) == [(0,)]
    rules = sample_build.query("select distinct rule from marts.dq_repairs where rule like 'imputed_regression%'")
    assert rules == [("imputed_regression",)]


def test_what_identifies_a_person_is_never_invented(sample_build: Build) -> None:
    names = ", ".join(f"'{name}'" for name in NEVER_FILLED)
    assert sample_build.query(
        f"select count(*) from marts.dq_repairs where column_name in ({names}) and rule like '%imputed%'"
    ) == [(0,)]


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 1000), lacking=st.floats(0.05, 0.5))
def test_on_any_world_the_choice_holds_on_cells_that_had_no_part_in_it(seed: int, lacking: float) -> None:
    choice = measure_column(_people(600, np.random.default_rng(seed), lacking), "income", AUTO, seed=seed)
    chosen = choice[choice["is_chosen"]]
    assert set(chosen["masking"]) == {"at_random", "own_pattern"}
    assert (chosen["held_out_difference"] < 0).all()
    assert set(chosen["policy"]) <= {"regression", "nearest_neighbours"}


def test_noise_gets_a_simple_policy() -> None:
    """Nothing tells this column from the others, and no luck of the draw makes a model of it."""
    simple = 0
    for seed in range(20):
        rng = np.random.default_rng(seed)
        sample = _people(300, rng)
        frame = sample.frame.assign(income=rng.lognormal(0, 1, 300).round(2))
        frame.loc[rng.random(300) < 0.2, "income"] = np.nan
        choice = measure_column(Sample(frame, ["country"], ["age", "income"]), "income", AUTO, seed=seed)
        simple += bool(choice.loc[choice["is_chosen"], "is_simple"].all())
    assert simple >= 18


def test_cells_are_hidden_where_the_column_lacks_them() -> None:
    """The old lack an income more often, so hidden incomes are those of the old: the median of all is worse there."""
    sample = _people(2000, np.random.default_rng(5), lacking=0.3)
    choice = measure_column(sample, "income", AUTO, seed=5)
    medians = choice[(choice["policy"] == "median") & choice["group_by"].isna()].set_index("masking")["error"]
    assert medians["own_pattern"] > medians["at_random"]


def test_the_simplest_within_two_standard_errors_is_taken() -> None:
    rng = np.random.default_rng(0)
    base = rng.random(400)
    policies = [Policy("median"), Policy("median", "country", 9), Policy("median", "source", 2), Policy("regression")]
    noise = rng.normal(0, 0.1, (400, 4))
    noise -= noise.mean(axis=0)
    assert choose(pd.DataFrame(base[:, None] + noise), policies) == Policy("median")
    groups_win = pd.DataFrame({0: base + 0.5, 1: base, 2: base + noise[:, 0], 3: base})
    assert choose(groups_win, policies) == Policy("median", "source")
    assert choose(
        groups_win.assign(**{"3": base - 0.2}).set_axis([0, 1, 2, 9, 3], axis=1).drop(columns=9), policies
    ) == (Policy("regression"))


def test_the_matrix_does_not_hold_the_column_to_be_predicted() -> None:
    sample = _people(50, np.random.default_rng(1))
    other = Sample(sample.frame.assign(income=1.0), sample.texts, sample.numbers)
    assert (Encoder(sample, "income")(sample.frame) == Encoder(other, "income")(other.frame)).all()


def _records(rows: int) -> duckdb.DuckDBPyRelation:
    return duckdb.sql(
        f"""select 'products' as table_name, 'P' || i as record_key, 'products' as source,
        ['unit_cost', 'category'] as imputable, map {{'category': null::varchar, 'email': 'x'}} as texts,
        map {{'unit_cost': case when i > 0 then 5.0 end::double}} as numbers from range({rows}) as t(i)"""
    )


def _policies(column: str, policy: str) -> duckdb.DuckDBPyRelation:
    return duckdb.sql(
        f"""select 'products' as table_name, '{column}' as column_name, '{policy}' as policy,
        null as group_by, null as constant"""
    )


@pytest.mark.parametrize("rows", [0, 1, 2, 30])
def test_little_or_nothing_known_is_said_and_filled_simply(rows: int) -> None:
    choices = choose_policies(_records(rows), _policies("unit_cost", "auto"), sample_rows=100)
    chosen = choices[choices["is_chosen"]]
    assert list(chosen["policy"].unique()) == ([] if rows < 2 else ["median"])
    assert (chosen["n_cells"] == 0).all() == (rows < 30)


@pytest.mark.parametrize(
    ("column", "policy", "message"),
    [
        ("email", "auto", "identifies a person"),
        ("category", "median", "median is for numbers"),
        ("category", "guess", "unknown policy"),
        ("colour", "mode", "is none of"),
    ],
)
def test_a_policy_that_can_not_be_meant_is_an_error(column: str, policy: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        choose_policies(_records(30), _policies(column, policy), sample_rows=100)
