"""Identity measures with intervals, and where the truth is looked for."""

from pathlib import Path

import duckdb
import pandas as pd
import pytest

from crm_mining.evaluation.clusters import cluster_metrics
from crm_mining.evaluation.truth import find_truth
from crm_mining.identity.evaluation import evaluate_identity


@pytest.fixture
def truth(tmp_path: Path) -> Path:
    path = tmp_path / "record_persons.csv"
    path.write_text("source_table,source_key,person_id\n" + "".join(f"crm.contacts,{i},P{i // 2}\n" for i in range(40)))
    return path


def _evaluate(truth: Path | None) -> pd.DataFrame:
    with duckdb.connect() as con:
        sources = con.sql(
            """select 'crm:' || i as record_id, 'crm.contacts' as source_table, i::varchar as source_key,
            'C' || case when i < 30 then i // 2 else i end as customer_id from range(40) as t (i)"""
        )
        records = con.sql(
            """select 'crm:' || i as record_id, case when i < 10 then 'e' || (i // 2) end as email,
            '+49' || (i // 4) as phone, null::varchar as mobile from range(40) as t (i)"""
        )
        return evaluate_identity(sources, records, truth)


def test_values_equal_those_of_cluster_metrics_and_lie_within_their_interval(truth: Path) -> None:
    found = _evaluate(truth)
    assert (found["interval_low"] <= found["value"]).all()
    assert (found["value"] <= found["interval_high"]).all()
    labels = pd.DataFrame({"record_id": range(40), "person_id": [i // 2 for i in range(40)]})
    labels["customer_id"] = [i // 2 if i < 30 else i + 100 for i in range(40)]
    expected = cluster_metrics(labels).set_index("metric")["value"]
    ours = found[found["model"] == "identity_resolution"].set_index("metric")["value"]
    common = [metric for metric in expected.index if metric in ours.index]
    assert len(common) >= 8
    pd.testing.assert_series_equal(ours[common], expected[common], check_names=False)


def test_baselines_connect_by_email_and_by_either(truth: Path) -> None:
    customers = _evaluate(truth).query("metric == 'n_customers'").set_index("model")["value"]
    assert customers["baseline_email"] == 5 + 30
    assert customers["baseline_email_or_phone"] == 10


def test_without_truth_there_are_no_rows_but_all_columns(truth: Path) -> None:
    assert list(_evaluate(None).columns) == list(_evaluate(truth).columns)
    assert len(_evaluate(None)) == 0


def test_truth_is_found_beside_the_raw_folder_and_missed_where_it_was_named(truth: Path, tmp_path: Path) -> None:
    (tmp_path / "truth").mkdir()
    truth.rename(tmp_path / "truth" / "record_persons.csv")
    found = find_truth(raw_root=str(tmp_path / "raw"), truth="", name="record_persons")
    assert found == tmp_path / "truth" / "record_persons.csv"
    assert find_truth(raw_root="/nowhere/raw", truth="", name="record_persons") is None
    with pytest.raises(FileNotFoundError, match="truth_location: no record_persons"):
        find_truth(raw_root="", truth="/nowhere", name="record_persons")
