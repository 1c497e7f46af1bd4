"""The synthetic world keeps its promises: reproducible, clean or faulty where it says so, with its planted truth."""

from __future__ import annotations

import csv
import hashlib
import re
import unicodedata
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import phonenumbers
import pytest
import yaml

from crm_mining.cli import main
from crm_mining.synth import Parameters, generate
from crm_mining.synth.fault_kinds import KEYS, PERSON_TABLES
from crm_mining.synth.lifecycle import STATES

ROOT = Path(__file__).parents[3]
SAMPLE = ROOT / "seeds" / "sample"
KINDS = {
    "duplicate_row", "redelivered_day", "typo_name", "typo_street", "typo_city", "typo_email_local", "typo_company",
    "typo_job_title", "typo_product_name", "typo_subject", "typo_vocabulary", "name_parts_swapped", "day_month_swapped",
    "missing_at_random", "missing_not_at_random", "email_domain_typo", "phone_notation", "text_encoding",
    "invisible_characters", "letter_case", "unicode_decomposed", "extra_spaces", "address_notation", "country_notation",
    "gender_notation", "title_in_name", "price_off_by_100", "negative_quantity", "currency_mixed_up", "future_date",
    "impossible_date", "orphan_key", "missing_key",
}  # fmt: skip

World = dict[str, pd.DataFrame]


def read_world(directory: Path) -> World:
    """Read all tables of a world as text, under names such as 'shop.orders' and 'truth.faults'."""
    world = {}
    for path in sorted(directory.rglob("*.*")):
        name = f"{path.parent.name}.{path.stem}"
        if path.suffix == ".csv":
            with path.open(newline="", encoding="utf-8") as file:
                rows = list(csv.reader(file))
            world[name] = pd.DataFrame(rows[1:], columns=rows[0], dtype=object)
        else:
            world[name] = pd.read_parquet(path).astype(object).where(lambda frame: frame.notna(), "")
    return world


def digest(directory: Path) -> dict[str, str]:
    """Give a check sum of each file."""
    return {
        str(path.relative_to(directory)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(directory.rglob("*.*"))
    }


def keys_of(table: pd.DataFrame, name: str) -> pd.Series:
    """Write each row's key as the log of faults does."""
    parts = [table[column] for column in KEYS[name]]
    return parts[0].str.cat(parts[1:], sep="|") if len(parts) > 1 else parts[0]


@pytest.fixture(scope="module")
def clean_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write a world without faults."""
    directory = tmp_path_factory.mktemp("clean")
    generate(Parameters(customers=6000, seed=3, fault_rate=0.0), directory)
    return directory


@pytest.fixture(scope="module")
def clean(clean_directory: Path) -> World:
    """Read a world without faults."""
    return read_world(clean_directory)


@pytest.fixture(scope="module")
def sample() -> World:
    """Read the sample that the repository holds."""
    return read_world(SAMPLE)


def test_same_seed_gives_same_bytes(tmp_path: Path) -> None:
    """The same parameters give the same files; another seed gives others."""
    for name, seed in (("one", 5), ("two", 5), ("three", 6)):
        generate(Parameters(customers=300, seed=seed), tmp_path / name)
    assert digest(tmp_path / "one") == digest(tmp_path / "two")
    assert digest(tmp_path / "one") != digest(tmp_path / "three")


def test_sample_is_what_the_command_writes(tmp_path: Path) -> None:
    """The committed sample can be made anew, and is small enough to live in the repository."""
    assert main(["synth", "--customers", "4000", "--seed", "7", "--out", str(tmp_path)]) == 0
    assert digest(tmp_path) == digest(SAMPLE)
    sizes = [path.stat().st_size for path in SAMPLE.rglob("*.csv")]
    assert sum(sizes) < 8_000_000
    assert max(sizes) < 2_000_000


def test_csv_and_parquet_hold_the_same(tmp_path: Path) -> None:
    """Both formats hold the same texts; the second run replaces the files of the first."""
    parameters = Parameters(customers=300, seed=5)
    generate(parameters, tmp_path / "csv")
    generate(parameters, tmp_path / "parquet", "csv")
    generate(parameters, tmp_path / "parquet", "parquet")
    left, right = read_world(tmp_path / "csv"), read_world(tmp_path / "parquet")
    assert not list((tmp_path / "parquet").rglob("*.csv"))
    assert left.keys() == right.keys()
    for name, table in left.items():
        pd.testing.assert_frame_equal(table, right[name], check_dtype=False)


def test_chunks_fit_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A world of several chunks has one header per file, unique keys, and references that resolve."""
    monkeypatch.setattr("crm_mining.synth.world.CHUNK", 400)
    generate(Parameters(customers=1000, seed=2, fault_rate=0.0), tmp_path)
    world = read_world(tmp_path)
    for name, columns in KEYS.items():
        assert not world[name].duplicated(list(columns)).any(), name
    assert len(world["truth.persons"]) == 1000
    assert_references_resolve(world)
    per_email = world["shop.customers"].merge(
        world["truth.record_persons"], left_on="customer_id", right_on="source_key"
    )
    per_email = per_email.merge(world["truth.persons"], on="person_id")
    # A mailbox may be shared inside a household alone.
    assert per_email.groupby("email")["household_id"].nunique().max() == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--customers", "3"], "customers must lie between"),
        (["--activity", "0"], "activity must be above 0"),
        (["--fault-rate", "0.9"], "fault-rate must lie between"),
        (["--seed", "-1"], "seed must be 0 or more"),
    ],
)
def test_bad_parameters_are_named(
    arguments: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A wrong parameter gives one line that names it, and writes nothing."""
    assert main(["synth", "--out", str(tmp_path / "never"), *arguments]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert not (tmp_path / "never").exists()


def test_shape_is_that_of_the_contract(sample: World) -> None:
    """Each raw table has the contract's required columns and, but for one on purpose, no others."""
    contracts = [yaml.safe_load(file.read_text()) for file in (ROOT / "models" / "staging").rglob("*_sources.yml")]
    unknown = set()
    for source in [source for contract in contracts for source in contract["sources"]]:
        if source["name"] not in ("crm", "shop", "support", "marketing"):
            continue
        for table in source["tables"]:
            columns = set(sample[f"{source['name']}.{table['name']}"].columns)
            required = {c["name"] for c in table["columns"] if c.get("config", {}).get("meta", {}).get("required")}
            assert required <= columns
            unknown |= columns - {c["name"] for c in table["columns"]}
    assert unknown == {"legacy_score"}


def test_no_faults_at_rate_zero(clean: World) -> None:
    """Without faults no row repeats, and the log is empty."""
    assert clean["truth.faults"].empty
    for name, columns in KEYS.items():
        assert not clean[name].duplicated(list(columns)).any()
        assert (clean[name][list(columns)] != "").all().all()


def test_clean_values_are_canonical(clean: World) -> None:
    """Whatever a warehouse changes in the clean world is a false alarm, so each value has its canonical form."""
    instant = re.compile(r"202[345]-\d\d-\d\d \d\d:\d\d:\d\d")
    for name in KEYS:
        for column, values in clean[name].items():
            filled = [str(value) for value in values.unique() if value != ""]
            for value in filled:
                assert value == unicodedata.normalize("NFC", value).strip(), (name, column, value)
                assert "  " not in value, (name, column, value)
                assert not any(unicodedata.category(letter) in ("Cf", "Cc", "Zs") and letter != " " for letter in value)
                if str(column).endswith("_at"):
                    assert instant.fullmatch(value), (name, column, value)
                    pd.Timestamp(value)
    for name in PERSON_TABLES:
        table = clean[name]
        assert set(table.get("gender", pd.Series(dtype=object)).unique()) <= {"f", "m", "x", ""}
        assert set(table.get("country", pd.Series(dtype=object)).unique()) <= {
            "DE",
            "GB",
            "US",
            "FR",
            "ES",
            "PL",
            "SE",
            "",
        }
        assert (table["email"] == table["email"].str.lower()).all()
        for column in ("phone", "mobile"):
            numbers = table[column][table[column] != ""].unique()[:1500] if column in table else []
            assert all(phonenumbers.is_valid_number(phonenumbers.parse(number)) for number in numbers)
        for column in ("first_name", "last_name", "city"):
            if column in table:
                assert all(value[0] == value[0].upper() or " " in value for value in table[column].unique() if value)
        born = pd.to_datetime(table["birth_date"][table["birth_date"] != ""]) if "birth_date" in table else None
        assert born is None or born.between("1928-01-01", "2008-12-31").all()
        assert (table["created_at"] <= table["updated_at"]).all()


def assert_references_resolve(world: World) -> None:
    """Check every filled reference of a clean world."""
    references = [
        ("shop.orders", "customer_id", "shop.customers"), ("shop.orders", "returned_order_id", "shop.orders"),
        ("shop.order_lines", "order_id", "shop.orders"), ("shop.order_lines", "product_id", "shop.products"),
        ("shop.web_events", "customer_id", "shop.customers"), ("shop.web_events", "product_id", "shop.products"),
        ("support.tickets", "requester_id", "support.requesters"), ("support.tickets", "order_id", "shop.orders"),
        ("support.tickets", "product_id", "shop.products"), ("marketing.touches", "campaign_id", "marketing.campaigns"),
        ("marketing.touches", "subscriber_id", "marketing.subscribers"),
        ("crm.opportunities", "contact_id", "crm.contacts"),
        ("crm.opportunities", "product_id", "shop.products"),
        ("crm.opportunity_stages", "opportunity_id", "crm.opportunities"),
    ]  # fmt: skip
    for name, column, target in references:
        key = {"shop.orders": "order_id", "shop.customers": "customer_id"}.get(target, KEYS[target][0])
        values = set(world[name][column]) - {""}
        assert values <= set(world[target][key]), (name, column)
    for name in PERSON_TABLES:
        truth = world["truth.record_persons"]
        assert set(truth["source_key"][truth["source_table"] == name]) == set(world[name][KEYS[name][0]])


def test_clean_references_resolve(clean: World) -> None:
    """Nothing hangs in the air, and nobody acts before the record exists."""
    assert_references_resolve(clean)
    orders = clean["shop.orders"].merge(clean["shop.customers"][["customer_id", "created_at"]], on="customer_id")
    assert (orders["created_at"] <= orders["ordered_at"]).all()
    tickets = clean["support.tickets"].merge(
        clean["support.requesters"][["requester_id", "created_at"]], on="requester_id"
    )
    assert (tickets["created_at"] <= tickets["opened_at"]).all()
    products = clean["shop.products"].set_index("product_id")
    lines = clean["shop.order_lines"].merge(clean["shop.orders"], on="order_id")
    sales = lines[lines["order_type"] == "sale"]
    assert (products.loc[sales["product_id"], "launched_at"].to_numpy() <= sales["ordered_at"].to_numpy()).all()
    ended = products.loc[sales["product_id"], "discontinued_at"].replace("", "9999").to_numpy()
    assert (sales["ordered_at"].to_numpy() < ended).all()


def test_amounts_equal_lines(clean: World) -> None:
    """An order's amount is the sum of its lines to the cent, and prices follow list price, index and rate."""
    con = duckdb.connect()
    lines, orders = clean["shop.order_lines"], clean["shop.orders"]
    for name in ("order_lines", "orders", "products"):
        con.register(name, clean[f"shop.{name}"])
    wrong = con.sql("""
        select count(*) from (
            select order_id, any_value(amount)::decimal(12, 2) as stated,
                sum(quantity::int * unit_price::decimal(12, 2) - coalesce(nullif(discount_amount, '')::decimal(12,
                2), 0)) as added
            from order_lines join orders using (order_id) group by order_id
        ) where stated <> added
    """).fetchall()[0][0]
    assert wrong == 0
    assert set(orders["order_id"]) == set(lines["order_id"])
    off = con.sql("""
        select max(abs(unit_price::double - list_price::double)) from order_lines join orders using (order_id) join
        products using (product_id)
        where orders.currency = 'EUR' and ordered_at < '2024' and order_type = 'sale'
    """).fetchall()[0][0]
    assert off < 0.005


def test_every_kind_of_fault_is_in_the_sample(sample: World) -> None:
    """Each kind occurs often enough to be measured."""
    counts = sample["truth.faults"]["kind"].value_counts()
    assert set(counts.index) == KINDS
    assert counts.min() >= 15
    log = sample["truth.faults"]
    again = log["source_key"][(log["kind"] == "redelivered_day") & (log["source_table"] == "shop.orders")]
    days = set(sample["shop.orders"].set_index("order_id").loc[again, "ordered_at"].str[:10])
    assert 2 <= len(days) <= 3


def test_each_fault_is_in_the_delivered_data(sample: World) -> None:
    """The log's wrong value stands in the delivered file under the log's key; rows delivered twice are there twice."""
    log = sample["truth.faults"]
    assert log["fault_id"].is_unique
    for name, entries in log.groupby("source_table"):
        table = sample[name].assign(key=keys_of(sample[name], name))
        times = table["key"].value_counts()
        rows = entries[entries["column_name"] == "*"]
        assert (times[rows["source_key"]] == 2).all()
        exact = rows["source_key"][rows["kind"] == "duplicate_row"]
        repeated = table[table["key"].isin(exact)]
        assert repeated.duplicated(keep=False).all()
        again = table[table["key"].isin(rows["source_key"][rows["kind"] == "redelivered_day"])]
        if len(again):
            assert not again.duplicated().any()
            assert again.duplicated([c for c in again if c != "loaded_at"], keep=False).all()
        cells = entries[entries["column_name"] != "*"]
        by_key = table.groupby("key")
        for fault in cells.itertuples():
            delivered = by_key.get_group(fault.source_key)[fault.column_name]
            assert fault.wrong_value in set(delivered), fault
            assert fault.wrong_value != fault.right_value, fault
        assert not cells[cells["kind"] != "missing_key"].duplicated(["source_key", "column_name"]).any()
        # Rows delivered twice carry no faulty cell.
        assert not set(rows["source_key"]) & set(cells["source_key"])


def test_faulty_sample_differs_from_the_clean_one_only_where_logged(sample: World, tmp_path: Path) -> None:
    """Putting the right values back and dropping the repeated rows gives the clean world."""
    generate(Parameters(customers=4000, seed=7, fault_rate=0.0), tmp_path)
    untouched, log = read_world(tmp_path), sample["truth.faults"]
    for name in KEYS:
        table = sample[name].iloc[: len(untouched[name])]
        differs = table.ne(untouched[name])
        logged = log[(log["source_table"] == name) & (log["column_name"] != "*")]
        assert int(differs.sum().sum()) == len(logged), name
        restored = [
            (column, wrong, right)
            for column in table
            for wrong, right in zip(
                table[column][differs[column]], untouched[name][column][differs[column]], strict=True
            )
        ]
        assert sorted(restored) == sorted(
            logged[["column_name", "wrong_value", "right_value"]].itertuples(index=False, name=None)
        )
        assert (
            len(sample[name]) - len(untouched[name])
            == ((log["source_table"] == name) & (log["column_name"] == "*")).sum()
        )


def test_share_of_faulty_person_records(sample: World) -> None:
    """About the asked share of the person records has a faulty cell."""
    log = sample["truth.faults"]
    cells = log[log["source_table"].isin(PERSON_TABLES) & (log["column_name"] != "*")]
    records = sum(len(sample[name]) for name in PERSON_TABLES)
    assert 0.035 < len(cells.drop_duplicates(["source_table", "source_key"])) / records < 0.065


def test_life_cycle_follows_the_planted_matrix(clean: World) -> None:
    """States change as often as the truth says; whoever is lost stays lost and buys no more."""
    states = clean["truth.person_states"].copy()
    month = states["month"].str[:4].astype(int) * 12 + states["month"].str[5:].astype(int) - 2023 * 12 - 1
    following = states.assign(month=month).groupby("person_id")[["state", "month"]].shift(-1)
    stay = following["month"].fillna(36).astype(int) - month - 1
    counts = np.zeros((len(STATES), len(STATES)))
    for state, staying, after in zip(states["state"], stay, following["state"], strict=True):
        counts[STATES.index(state), STATES.index(state)] += staying
        if isinstance(after, str):
            counts[STATES.index(state), STATES.index(after)] += 1
    planted = clean["truth.state_transitions"].pivot(index="from_state", columns="to_state", values="probability")
    planted = planted.loc[list(STATES), list(STATES)].astype(float).to_numpy()
    assert np.abs(counts / counts.sum(axis=1, keepdims=True) - planted).max() < 0.03

    persons = clean["truth.persons"].merge(clean["truth.record_persons"], on="person_id")
    orders = clean["shop.orders"].merge(persons, left_on="customer_id", right_on="source_key")
    gone = orders[orders["dropped_out_on"] != ""]
    assert (gone["ordered_at"] < gone["dropped_out_on"]).all()


def test_planted_rules_are_there(clean: World) -> None:
    """Bundles are bought together and sequences follow about as often as planted, far more often than by chance."""
    lines, orders = clean["shop.order_lines"], clean["shop.orders"]
    sales = lines.merge(orders[orders["order_type"] == "sale"], on="order_id")
    baskets = sales.groupby("order_id")["product_id"].agg(set)
    for rule in clean["truth.planted_rules"].itertuples():
        left, probability = set(rule.antecedent.split(";")), float(rule.probability)
        if rule.kind == "bundle":
            held = baskets[[left <= basket for basket in baskets]]
            confidence = np.mean([rule.consequent in basket for basket in held])
            base = np.mean([rule.consequent in basket for basket in baskets])
            assert confidence > 3 * base
        else:
            first = sales[sales["product_id"].isin(left) & (sales["customer_id"] != "")]
            then = sales[sales["product_id"] == rule.consequent]
            pairs = first.merge(then, on="customer_id", suffixes=("", "_then"))
            gap = pd.to_datetime(pairs["ordered_at_then"]) - pd.to_datetime(pairs["ordered_at"])
            inside = pairs[(gap > pd.Timedelta(0)) & (gap <= pd.Timedelta(days=int(rule.within_days)))]
            held = first
            confidence = inside["order_id"].nunique() / first["order_id"].nunique()
        spread = 4 * np.sqrt(probability * (1 - probability) / len(held)) + 0.06
        assert abs(confidence - probability) < spread, (rule.rule_id, confidence)


def test_campaigns_have_their_planted_effect(clean: World) -> None:
    """Those who were written to buy more often than the control group, by about what was planted."""
    con = duckdb.connect()
    tables = {name.split(".")[1]: table for name, table in clean.items()}
    for name, table in tables.items():
        con.register(name, table)
    rows = con.sql("""
        with accounts as (
            select person_id, source_key as customer_id from record_persons where source_table = 'shop.customers'
        ), buyers as (
            select person_id, min(created_at)::timestamp as since from accounts join customers using (customer_id)
            group by all
        ), bought as (
            select person_id, ordered_at::timestamp as bought_at from orders join accounts using (customer_id)
            where order_type = 'sale'
        ), outcomes as (
            select touches.campaign_id, persons.effect_group, is_control, exists (
                from bought where bought.person_id = buyers.person_id and bought_at >= touched_at::timestamp
                and bought_at < touched_at::timestamp + interval 14 day
            )::int as has_bought
            from touches
            join record_persons on source_key = subscriber_id and source_table = 'marketing.subscribers'
            join buyers using (person_id) join persons using (person_id)
            where since <= touched_at::timestamp
        )
        select outcomes.effect_group = 'persuadable' as moved,
            avg(has_bought) filter (is_control = 'false') - avg(has_bought) filter (is_control = 'true') as seen,
            avg(uplift::double) as planted
        from outcomes join campaign_effects using (campaign_id, effect_group) group by all order by all
    """).fetchall()
    assert abs(rows[0][1] - rows[0][2]) < 0.03
    assert rows[1][1] > 0.05
    assert abs(rows[1][1] - rows[1][2]) < 0.04


def test_pipeline_ends_in_the_last_stage(clean: World) -> None:
    """An opportunity stands in the stage it entered last, and a closed one says when."""
    stages = clean["crm.opportunity_stages"].sort_values(["opportunity_id", "entered_at"], kind="stable")
    last = stages.groupby("opportunity_id").last()
    deals = clean["crm.opportunities"].set_index("opportunity_id")
    assert (deals["stage"] == last.loc[deals.index, "stage"]).all()
    closed = deals["stage"].isin(["won", "lost"])
    assert (deals["closed_at"][closed] == last.loc[deals.index[closed], "entered_at"]).all()
    assert (deals["closed_at"][~closed] == "").all()
