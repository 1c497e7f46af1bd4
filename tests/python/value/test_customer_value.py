"""customer_value through the dbt models: fits that are kept, a past that stays, and what model_metrics says of both."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import SAMPLE, Build, dbt_build, dbt_run_in_process, open_to_write
from dbt.contracts.graph.manifest import Manifest

VALUE = "int_as_of_dates int_purchase_bookings int_customer_purchases int_value_terms int_value_scores customer_value"
Rows = list[tuple[Any, ...]]


@pytest.fixture
def built(sample_build: Build, tmp_path: Path) -> Path:
    """Take a copy of the built sample: it holds its fits."""
    shutil.copy(sample_build.warehouse, tmp_path / "warehouse.duckdb")
    return tmp_path


@pytest.fixture
def rerun(manifest: Manifest, built: Path) -> Callable[..., Build]:
    """Change the warehouse by SQL, then run the models of customer_value again."""

    def run(*changes: str) -> Build:
        with open_to_write(built / "warehouse.duckdb") as con:
            for change in changes:
                con.execute(change)
        finished = dbt_run_in_process(manifest, built, {}, VALUE)
        assert finished.returncode == 0, finished.output[-6000:]
        return finished

    return run


def _values(build: Build, where: str = "true") -> Rows:
    return build.query(f"from marts.customer_value where {where} order by customer_id, as_of_date")


def _terms(build: Build, where: str = "true") -> Rows:
    return build.query(f"from intermediate.int_value_terms where {where} order by all")


def test_one_row_per_customer_who_bought_by_then(sample_build: Build) -> None:
    missing = sample_build.query("""
        select distinct orders.customer_id, dates.as_of_date
        from marts.fct_orders as orders
        inner join intermediate.int_as_of_dates as dates on orders.ordered_date <= dates.as_of_date
        where order_type = 'sale' and status is distinct from 'cancelled' and orders.customer_id is not null
        except all
        select customer_id, as_of_date from marts.customer_value
    """)
    assert missing == []
    days = sample_build.query("select as_of_date, count(*) from marts.customer_value group by all order by all")
    assert len(days) == 5
    assert all(n > 2000 for _, n in days)


def test_no_money_is_lost_or_counted_twice(sample_build: Build) -> None:
    booked, ordered = sample_build.query("""
        select
            (select sum(amount) from intermediate.int_purchase_bookings),
            (select sum(net_amount) from marts.fct_orders
             where customer_id is not null and status is distinct from 'cancelled' and order_type != 'adjustment')
    """)[0]
    assert booked == ordered


def test_later_orders_and_returns_leave_the_past_bit_for_bit(sample_build: Build, rerun: Callable[..., Build]) -> None:
    current = "(select as_of_date from intermediate.int_event_horizon)"
    again = "select * replace (order_id || '-later' as order_id, ordered_date + 360 as ordered_date)"
    back = f"""select * replace (order_id || '-back' as order_id, 'return' as order_type, order_id as returned_order_id,
        -net_amount as net_amount, {current} + 20 as ordered_date)"""
    later = rerun(
        # Much of what was bought last is bought again, and everything ever bought is given back.
        f"""insert into marts.fct_orders {again} from marts.fct_orders where ordered_date > {current} - 350
            union all {back} from marts.fct_orders where order_type = 'sale'""",
        "update intermediate.int_event_horizon set as_of_date = as_of_date + 30",
        # Without a fit all of them are made anew.
        "delete from intermediate.int_value_terms",
    )
    dates = "select as_of_date from intermediate.int_as_of_dates order by all"
    common = sorted({day for (day,) in later.query(dates)} & {day for (day,) in sample_build.query(dates)})
    assert len(common) >= 3
    where = f"as_of_date in ({', '.join(repr(str(day)) for day in common)})"
    assert _terms(later, where) == _terms(sample_build, where)
    assert _values(later, where) == _values(sample_build, where)


def test_stored_fits_score_until_a_refit_is_asked_for(
    sample_build: Build, rerun: Callable[..., Build], built: Path
) -> None:
    current = "as_of_date = (select max(as_of_date) from intermediate.int_value_terms)"
    changed = rerun(f"update intermediate.int_value_terms set value = 2 * value where term = 'gamma' and {current}")
    is_other = f"not (term = 'gamma' and {current})"
    assert _terms(changed, is_other) == _terms(sample_build, is_other)
    assert _terms(changed) != _terms(sample_build)
    earlier = "as_of_date < (select max(as_of_date) from marts.customer_value)"
    assert _values(changed, earlier) == _values(sample_build, earlier)
    total = """select sum(expected_value_365d) from marts.customer_value
        where as_of_date = (select max(as_of_date) from marts.customer_value)"""
    doubled, before = changed.query(total)[0][0], sample_build.query(total)[0][0]
    assert 1.3 * before < doubled < 2 * before

    asked = dbt_build(
        built,
        {"raw_location": str(SAMPLE / "raw"), "refit": "always"},
        arguments=[
            "--select",
            "int_value_terms",
            "int_value_scores",
            "customer_value",
            "--exclude-resource-type",
            "test",
        ],
    )
    assert _terms(asked) == _terms(sample_build)
    assert _values(asked) == _values(sample_build)


def test_it_beats_its_baselines_and_knows_the_living(sample_build: Build) -> None:
    metrics = sample_build.query("""
        select target, metric, value, baseline from marts.model_metrics where model = 'customer_value'
    """)
    of = {
        (target, metric): [(v, b) for t, m, v, b in metrics if (t, m) == (target, metric)]
        for target, metric, _, _ in metrics
    }
    for target in ("n_orders_90d", "value_90d"):
        assert len(of[target, "mae"]) == 3
        assert all(value < 0.7 * baseline for value, baseline in of[target, "mae"])
        assert all(value < baseline for value, baseline in of[target, "rmse"])
        assert all(value > baseline for value, baseline in of[target, "correlation"])
        assert all(0.75 < value < 1.1 for value, _ in of[target, "ratio_to_actual"])
        assert all(value > 0.95 for value, _ in of[target, "interval_coverage"])
    assert len(of["is_alive", "roc_auc"]) == 5
    assert all(value > 0.88 for value, _ in of["is_alive", "roc_auc"])
    assert all(value < 0.7 * baseline for value, baseline in of["is_alive", "brier_score"])
    assert all(0.8 < value < 1.2 for value, _ in of["is_alive", "calibration_slope"])
