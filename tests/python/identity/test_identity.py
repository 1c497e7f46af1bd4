"""Who is one customer and who is not, what people decided about it, and ids that stay: through the dbt models."""

import csv
import importlib.util
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from itertools import combinations, pairwise
from pathlib import Path
from typing import Any

import pytest
from conftest import ROOT, Build, dbt_run_in_process, open_to_read, open_to_write, table_hashes
from dbt.contracts.graph.manifest import Manifest

from crm_mining.evaluation.clusters import cluster_metrics
from crm_mining.synth import Parameters, generate
from crm_mining.warehouse.connection import connect

_spec = importlib.util.spec_from_file_location("identity_sets", ROOT / "benchmarks" / "identity_sets.py")
assert _spec is not None
assert _spec.loader is not None
identity_sets = importlib.util.module_from_spec(_spec)
sys.modules["identity_sets"] = identity_sets
_spec.loader.exec_module(identity_sets)

#: The tables of persons and their keys.
KEYS = {
    "crm": ("contacts", "contact_id"),
    "shop": ("customers", "customer_id"),
    "support": ("requesters", "requester_id"),
    "marketing": ("subscribers", "subscriber_id"),
}
EVERYTHING = "path:models path:python_models"
DECISIONS = "identity_overrides+,path:models identity_overrides+,path:python_models"
CUSTOMERS = "+identity_pairs +customer_sources customer_merges"

Record = Mapping[str, str]


def person(first_name: str, last_name: str, **more: str) -> dict[str, str]:
    """Make a record of someone in Germany, created when all of them are."""
    return {
        "first_name": first_name,
        "last_name": last_name,
        "country": "DE",
        "created_at": "2024-05-01 10:00:00",
        "updated_at": "2024-05-01 10:00:00",
        **more,
    }


def add_people(raw: Path, people: Sequence[tuple[str, str, Record]]) -> None:
    """Append (system, key, record) to the files of a raw folder; columns that a file lacks are added to it."""
    for system, (table, key) in KEYS.items():
        path = raw / system / f"{table}.csv"
        with path.open(encoding="utf-8", newline="") as file:
            rows: list[dict[str, str]] = list(csv.DictReader(file))
        rows += [{key: name, **record} for where, name, record in people if where == system]
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, list(dict.fromkeys(column for row in rows for column in row)), restval="")
            writer.writeheader()
            writer.writerows(rows)


def customers(build: Build, part: str = "") -> dict[str, str]:
    """Return the customer of each record whose id contains a text."""
    found = build.query("select record_id, customer_id from intermediate.int_customer_sources order by record_id")
    return {record_id: customer_id for record_id, customer_id in found if part in record_id}


# Known duplicates and known non-duplicates: what the first record says, and what the second one says otherwise. The
# first is in the crm, the second in the system named.

DUPLICATES: dict[str, tuple[Record, str, Record]] = {
    "nickname": (
        person("Robert", "Achterberg", birth_date="1971-03-14", email="r.achterberg@web.de", phone="+4915112340001"),
        "shop",
        {"first_name": "Bob", "email": "achterberg71@gmail.com"},
    ),
    "first_and_last_name_exchanged": (
        person(
            "Friedhelm", "Kowallik", birth_date="1964-11-02", email="kowallik@gmx.de", city="Bremen", postcode="28195"
        ),
        "shop",
        {"first_name": "Kowallik", "last_name": "Friedhelm"},
    ),
    "day_and_month_exchanged": (
        person(
            "Dorothea", "Winkelmann", birth_date="1983-04-07", phone="+4915112340003", city="Kassel", postcode="34117"
        ),
        "shop",
        {"birth_date": "1983-07-04"},
    ),
    "umlauts_written_out": (
        person("Jörg", "Schönfließ", birth_date="1959-12-24", street="Grüner Weg 5", city="Köln", postcode="50667"),
        "shop",
        {"first_name": "Joerg", "last_name": "Schoenfliess", "street": "Gruener Weg 5", "city": "Koeln"},
    ),
    "new_email_same_phone": (
        person("Annegret", "Sudhoff", email="annegret.sudhoff@t-online.de", phone="+4915112340005"),
        "shop",
        {"email": "a.sudhoff@posteo.de"},
    ),
    "married_name": (
        person(
            "Katharina", "Oberländer", birth_date="1990-08-19", email="kathi.oberlaender@web.de", phone="+4915112340006"
        ),
        "shop",
        {"last_name": "Petrowski"},
    ),
    "moved_house": (
        person(
            "Reinhold",
            "Tiedemann",
            birth_date="1948-02-11",
            email="reinhold.tiedemann@gmx.de",
            phone="+4915112340007",
            street="Lindenallee 8",
            city="Rostock",
            postcode="18055",
        ),
        "shop",
        {"street": "Am Markt 3", "city": "Freiburg", "postcode": "79098"},
    ),
    "initial_only": (
        person("Clemens", "Brandhorst", email="clemens.brandhorst@gmail.com", phone="+4915112340008"),
        "shop",
        {"first_name": "C."},
    ),
    "double_barrelled_name": (
        person("Melanie", "Rosenkranz", birth_date="1987-05-30", phone="+4915112340009", city="Ulm", postcode="89073"),
        "shop",
        {"last_name": "Rosenkranz-Deppe"},
    ),
    "title_and_capitals": (
        person("Henrike", "Vogelsang", birth_date="1976-10-01", email="henrike.vogelsang@web.de"),
        "shop",
        {"first_name": "HENRIKE", "last_name": "VOGELSANG", "title": "Dr.", "email": "Henrike.Vogelsang@WEB.DE"},
    ),
    "whole_name_in_one_field": (
        person("Gunnar", "Lichtenberg", email="gunnar.lichtenberg@web.de", phone="+4915112340011"),
        "support",
        {"first_name": "", "last_name": "", "full_name": "Lichtenberg, Gunnar", "email": ""},
    ),
    "one_digit_of_the_birth_date": (
        person(
            "Leonore",
            "Wachsmuth",
            birth_date="1969-06-21",
            phone="+4915112340012",
            street="Hafenstraße 12",
            city="Kiel",
            postcode="24103",
        ),
        "shop",
        {"birth_date": "1968-06-21"},
    ),
    "phone_in_another_notation": (
        person("Wendelin", "Aschenbach", birth_date="1980-01-17", phone="+49 151 1234 0013"),
        "shop",
        {"phone": "0151/12340013"},
    ),
    "newsletter_with_nothing_but_name_and_email": (
        person(
            "Roswitha",
            "Zimmerling",
            birth_date="1955-09-09",
            email="roswitha.zimmerling@gmx.de",
            phone="+4915112340014",
        ),
        "marketing",
        {"birth_date": "", "phone": ""},
    ),
}
NON_DUPLICATES: dict[str, tuple[Record, str, Record]] = {
    "father_and_son_of_one_name": (
        person(
            "Georg",
            "Hüttenrauch",
            birth_date="1951-02-03",
            email="georg.huettenrauch@t-online.de",
            phone="+4930555101",
            street="Ahornweg 4",
            city="Berlin",
            postcode="10115",
        ),
        "shop",
        {"birth_date": "1984-09-27", "email": "schorsch84@gmail.com"},
    ),
    "twins": (
        person(
            "Lena",
            "Buddenbrock",
            birth_date="1999-07-15",
            email="lena.buddenbrock@web.de",
            phone="+4930555102",
            street="Birkenstraße 17",
            city="Hamburg",
            postcode="20095",
        ),
        "shop",
        {"first_name": "Marie", "email": "marie.buddenbrock@web.de"},
    ),
    "namesakes_in_one_city": (
        person(
            "Thomas",
            "Müller",
            birth_date="1962-03-08",
            email="thomas.mueller62@gmx.de",
            phone="+4915112350003",
            street="Rosenweg 1",
            city="München",
            postcode="80331",
        ),
        "shop",
        {
            "birth_date": "1991-10-25",
            "email": "tommy.m@gmail.com",
            "phone": "+4917698760003",
            "street": "Isarstraße 77",
        },
    ),
    "colleagues_with_the_firms_phone_and_mail": (
        person(
            "Ulrike",
            "Nachtigall",
            birth_date="1970-01-20",
            email="info@feinmechanik-habermas.de",
            phone="+4971155504",
            company="Feinmechanik Habermas GmbH",
        ),
        "shop",
        {"first_name": "Detlef", "last_name": "Quandt", "birth_date": "1985-06-11"},
    ),
    "couple": (
        person(
            "Ingo",
            "Wiesengrund",
            birth_date="1977-04-04",
            email="ingo.wiesengrund@web.de",
            phone="+4930555105",
            street="Seestraße 30",
            city="Potsdam",
            postcode="14467",
        ),
        "shop",
        {"first_name": "Beate", "birth_date": "1979-12-13", "email": "beate.wiesengrund@web.de"},
    ),
    "couple_with_one_mailbox_and_no_birth_dates": (
        person(
            "Hartmut",
            "Silberstein",
            email="familie.silberstein@gmx.de",
            phone="+4930555106",
            street="Kastanienallee 2",
            city="Leipzig",
            postcode="04109",
        ),
        "shop",
        {"first_name": "Edeltraud"},
    ),
    "siblings_of_similar_names": (
        person(
            "Jan",
            "Stolzenfels",
            birth_date="2001-01-10",
            email="jan.stolzenfels@gmail.com",
            phone="+4930555107",
            street="Wiesengrund 9",
            city="Jena",
            postcode="07743",
        ),
        "shop",
        {"first_name": "Jana", "birth_date": "2004-05-22", "email": "jana.stolzenfels@gmail.com"},
    ),
    "successive_tenants": (
        person(
            "Volker",
            "Eisenhardt",
            birth_date="1966-08-08",
            phone="+4915112350008",
            street="Turmstraße 61",
            city="Mainz",
            postcode="55116",
        ),
        "shop",
        {"first_name": "Saskia", "last_name": "Morgenroth", "birth_date": "1993-02-28", "phone": "+4917698760008"},
    ),
    "similar_names_in_one_street": (
        person(
            "Martin",
            "Schneider",
            birth_date="1958-05-05",
            phone="+4915112350009",
            street="Bachstraße 3",
            city="Erfurt",
            postcode="99084",
        ),
        "shop",
        {
            "first_name": "Martina",
            "last_name": "Schreiber",
            "birth_date": "1982-11-19",
            "phone": "+4917698760009",
            "street": "Bachstraße 31",
        },
    ),
}

FIRST_NAMES = [
    "Agathe", "Bruno", "Carla", "Dagmar", "Erwin", "Frieda", "Gisela", "Horst", "Irma", "Joachim",
    "Karl", "Liesel", "Manfred", "Nora", "Otto", "Paula", "Quirin", "Rosa", "Siegfried", "Thea",
    "Udo", "Vera", "Walter", "Xaver", "Yvonne", "Zita", "Adolf", "Berta", "Cornelius", "Doris",
    "Emil", "Franziska", "Gustav", "Helga", "Isolde", "Jutta", "Konrad", "Lothar", "Mathilde", "Norbert",
    "Ottilie", "Philipp", "Renate", "Stefan", "Traudel", "Ulrich", "Viktor", "Wilma", "Achim", "Brigitte",
]  # fmt: skip
LAST_NAMES = ["Abendroth", "Bergengruen", "Clausnitzer", "Dombrowski", "Ellerbrock"]
#: Fifty residents of one house with one telephone, ten of each last name.
RESIDENTS = [
    person(
        first_name,
        LAST_NAMES[i % 5],
        birth_date=f"19{30 + 7 * i % 40}-{1 + 5 * i % 12:02d}-{1 + 3 * i % 28:02d}",
        phone="+4934155500",
        street="Stiftsgasse 1",
        city="Weimar",
        postcode="99423",
    )
    for i, first_name in enumerate(FIRST_NAMES)
]
#: Fifty more in another house: every first name of ten with every last name of five.
NAMESAKES = [
    person(
        first_name,
        last_name,
        birth_date=f"19{30 + (7 * i + 11 * j) % 60}-{1 + (5 * i + 3 * j) % 12:02d}-{1 + (3 * i + 5 * j) % 28:02d}",
        phone="+4936435550",
        street="Klostergasse 2",
        city="Apolda",
        postcode="99510",
    )
    for i, first_name in enumerate(FIRST_NAMES[:10])
    for j, last_name in enumerate(LAST_NAMES)
]
HIDDEN = person(
    "Konstantin",
    "Weidenfeller",
    birth_date="1974-10-23",
    email="konstantin.weidenfeller@gmx.de",
    phone="+4915112360001",
    street="Schillerstraße 44",
    city="Heidelberg",
    postcode="69115",
)
#: One person in five records, each with a slip of its own.
FIVE_SLIPS = [
    ("crm", {"first_name": "Konstantn"}),
    ("crm", {"last_name": "Weidenfeler"}),
    ("shop", {"birth_date": "1974-10-13"}),
    ("support", {"phone": "+4915112630001"}),
    ("marketing", {"email": "konstantin.wiedenfeller@gmx.de"}),
]


def _two(kind: str, cases: Mapping[str, tuple[Record, str, Record]]) -> list[tuple[str, str, Record]]:
    found: list[tuple[str, str, Record]] = []
    for name, (first, system, otherwise) in cases.items():
        found += [("crm", f"{kind}_{name}_1", first), (system, f"{kind}_{name}_2", {**first, **otherwise})]
    return found


@pytest.fixture(scope="module")
def build_models(seeded: Path, manifest: Manifest) -> Callable[..., Build]:
    """Build models in a folder of their own, with further runs going on where the last one ended."""

    def build(folder: Path, selection: str, **variables: Any) -> Build:
        if not (folder / "warehouse.duckdb").exists():
            folder.mkdir(parents=True, exist_ok=True)
            shutil.copy(seeded, folder / "warehouse.duckdb")
        finished = dbt_run_in_process(manifest, folder, variables, selection)
        assert finished.returncode == 0, finished.output[-6000:]
        return finished

    return build


@pytest.fixture(scope="module")
def cases(build_models: Callable[..., Build], tmp_path_factory: pytest.TempPathFactory) -> Build:
    """Build a world of 600 strangers with everybody of above among them."""
    folder = tmp_path_factory.mktemp("cases")
    generate(Parameters(customers=600, seed=31), folder, show_progress=False)
    slips = [(system, f"slips_{i}", {**HIDDEN, **slip}) for i, (system, slip) in enumerate(FIVE_SLIPS)]
    residents = [(("crm", "shop")[i % 2], f"resident_{i}", record) for i, record in enumerate(RESIDENTS)]
    residents += [(("crm", "shop")[i % 2], f"namesake_{i}", record) for i, record in enumerate(NAMESAKES)]
    people = [*_two("same", DUPLICATES), *_two("other", NON_DUPLICATES), *slips, *residents]
    add_people(folder / "raw", people)
    return build_models(folder, EVERYTHING, raw_location=str(folder / "raw"))


def _waterfall(build: Build, first: str, second: str) -> str:
    """Say what the pair's attributes added to its weight, for the message of a failed test."""
    a, b = sorted([first, second])
    with connect(build.warehouse) as con:
        row = con.execute("from marts.identity_pairs where record_a = ? and record_b = ?", [a, b]).df()
    return row.T.to_string(header=False) if len(row) else f"{a} and {b} are no pair"


@pytest.mark.parametrize("name", DUPLICATES)
def test_a_known_duplicate_is_one_customer(name: str, cases: Build) -> None:
    first, second = f"crm:same_{name}_1", f"{DUPLICATES[name][1]}:same_{name}_2"
    found = customers(cases)
    assert found[first] == found[second], _waterfall(cases, first, second)


@pytest.mark.parametrize("name", NON_DUPLICATES)
def test_a_known_non_duplicate_is_two_customers(name: str, cases: Build) -> None:
    first, second = f"crm:other_{name}_1", f"{NON_DUPLICATES[name][1]}:other_{name}_2"
    found = customers(cases)
    assert found[first] != found[second], _waterfall(cases, first, second)


@pytest.mark.parametrize("house", ["resident", "namesake"])
def test_fifty_people_of_one_address_and_phone_stay_fifty(house: str, cases: Build) -> None:
    found = customers(cases, f":{house}_")
    joined = [(a, b) for a, b in combinations(found, 2) if found[a] == found[b]]
    assert joined == [], _waterfall(cases, *joined[0])
    assert len(found) == 50


def test_five_slips_in_five_records_of_one_person_are_one_customer(cases: Build) -> None:
    found = customers(cases, ":slips_")
    assert len(found) == 5
    assert len(set(found.values())) == 1, found


# What people decided


def _decide(build: Build, *decisions: tuple[str, str, str]) -> None:
    """Make these the rows of the seed identity_overrides."""
    with open_to_write(build.warehouse) as con:
        con.execute("delete from lookup.identity_overrides")
        for record_a, record_b, decision in decisions:
            con.execute(
                "insert into lookup.identity_overrides values (?, ?, ?, 'they said so', 'Ann', '2025-06-01')",
                [record_a, record_b, decision],
            )


def _marts(build: Build) -> dict[str, Any]:
    """Content of every mart but the log of merges, which only grows."""
    hashes = table_hashes(build.warehouse, ("marts",))
    assert len(hashes) > 15
    return {name: content for name, content in hashes.items() if name != "marts.customer_merges"}


def _log(build: Build) -> list[tuple[Any, ...]]:
    """Return the events of the last build."""
    return build.query(
        """select record_id, event_type, customer_id, previous_customer_id, reason from marts.customer_merges
        where build_number > 1 and build_number = (select max(build_number) from marts.customer_merges) order by all"""
    )


def test_a_decision_merges_or_splits_and_without_it_all_is_as_before(
    cases: Build, build_models: Callable[..., Build]
) -> None:
    def rebuild(selection: str = DECISIONS) -> None:
        build_models(cases.warehouse.parent, selection, raw_location=str(cases.warehouse.parent / "raw"))

    before, ids = _marts(cases), customers(cases)
    joined = ("crm:other_namesakes_in_one_city_1", "shop:other_namesakes_in_one_city_2")
    parted = ("crm:same_nickname_1", "shop:same_nickname_2")
    assert ids[joined[0]] != ids[joined[1]]
    assert ids[parted[0]] == ids[parted[1]]

    _decide(cases, (*joined, "same"))
    rebuild()
    merged = customers(cases)
    older, younger = joined  # created in the same second; the key decides
    assert merged == ids | {younger: ids[older]}
    assert _log(cases) == [(younger, "merge", ids[older], ids[younger], "override same: they said so")]
    assert _marts(cases) != before

    _decide(cases, (*reversed(joined), "same"), (*parted, "different"))
    rebuild(CUSTOMERS)
    both = customers(cases)
    assert both[parted[0]] != both[parted[1]]
    assert {record: both[record] for record in both if record not in parted} == {
        record: merged[record] for record in merged if record not in parted
    }
    assert _log(cases) == [(parted[1], "split", both[parted[1]], ids[parted[1]], "override different: they said so")]

    _decide(cases)
    rebuild()
    assert customers(cases) == ids
    assert {(record_id, event) for record_id, event, *_ in _log(cases)} == {(younger, "split"), (parted[1], "merge")}
    after = _marts(cases)
    assert {name for name in before if after.get(name) != before[name]} == set()


# Ids over time

N_DAYS = 10
#: Two records that say too little to be one, and a later one that ties them together.
TIED = {"phone": "+4915112370001", "mobile": "+4917698770002", "email": "bine.h@gmx.de"}
LINKED = [
    ("crm", "link_1", person("Sabine", "Hofmann", phone=TIED["phone"], city="Köln", created_at="2023-02-01 08:00:00")),
    (
        "shop",
        "link_2",
        person(
            "Sabine",
            "Hofmann",
            phone=TIED["mobile"],
            email=TIED["email"],
            city="Dresden",
            created_at="2023-03-01 08:00:00",
        ),
    ),
    ("support", "link_3", person("Sabine", "Hofmann", **TIED, created_at="2026-01-01 08:00:00")),
]


def _days(raw: Path, out: Path) -> list[Path]:
    """Write the raw folder as it was on each of ten days: a tenth of the person records more, the oldest first."""
    created = []
    for system, (table, key) in KEYS.items():
        with (raw / system / f"{table}.csv").open(encoding="utf-8", newline="") as file:
            created += [(row["created_at"], system, row[key]) for row in csv.DictReader(file)]
    # Records delivered twice have one key.
    order = {record: i for i, record in enumerate(dict.fromkeys((system, key) for _, system, key in sorted(created)))}
    folders = []
    for day in range(1, N_DAYS + 1):
        folders.append(out / f"day{day}")
        shutil.copytree(raw, folders[-1])
        for system, (table, key) in KEYS.items():
            path = folders[-1] / system / f"{table}.csv"
            with path.open(encoding="utf-8", newline="") as file:
                reader = csv.DictReader(file)
                header = list(reader.fieldnames or [])
                rows = [row for row in reader if order[system, row[key]] < len(order) * day / N_DAYS]
            with path.open("w", encoding="utf-8", newline="") as file:
                writer = csv.DictWriter(file, header)
                writer.writeheader()
                writer.writerows(rows)
    return folders


@pytest.fixture(scope="module")
def batches(
    build_models: Callable[..., Build], tmp_path_factory: pytest.TempPathFactory
) -> tuple[list[dict[str, str]], Build, Build]:
    """Build ten days, one after the other, and the last one in a fresh warehouse."""
    folder = tmp_path_factory.mktemp("batches")
    generate(Parameters(customers=250, seed=37), folder, show_progress=False)
    add_people(folder / "raw", LINKED)
    daily, days = [], _days(folder / "raw", folder)
    for day in days:
        build = build_models(folder / "daily", CUSTOMERS, raw_location=str(day), n_random_pairs=50000)
        daily.append(customers(build))
    full = build_models(folder / "full", CUSTOMERS, raw_location=str(days[-1]), n_random_pairs=50000)
    return daily, build, full


def _sets(clusters: Mapping[str, str]) -> dict[str, frozenset[str]]:
    members: dict[str, set[str]] = {}
    for record_id, customer_id in clusters.items():
        members.setdefault(customer_id, set()).add(record_id)
    return {customer_id: frozenset(records) for customer_id, records in members.items()}


def test_ten_daily_loads_and_one_full_load_give_the_same_ids(batches: tuple[Any, ...]) -> None:
    daily, last, full = batches
    assert len(daily[0]) < len(daily[-1]) / 5
    assert customers(full) == daily[-1]
    hashes = [table_hashes(build.warehouse, ("marts",)) for build in (last, full)]
    different = {name for name in hashes[1] if hashes[0].get(name) != hashes[1][name]}
    assert different == {"marts.customer_merges"}


def test_a_customer_of_the_same_records_keeps_its_id_from_day_to_day(batches: tuple[Any, ...]) -> None:
    daily = batches[0]
    for before, after in pairwise(daily):
        earlier, later = _sets(before), _sets(after)
        named = {records: customer_id for customer_id, records in later.items()}
        kept = {customer_id: named[records] for customer_id, records in earlier.items() if records in named}
        assert len(kept) > 0.5 * len(earlier)
        assert {a: b for a, b in kept.items() if a != b} == {}
        # A customer that only grew, by records that came later, keeps its id too.
        grown = [c for c, records in earlier.items() if c in later and records < later[c]]
        assert grown


def test_a_record_that_joins_two_customers_leaves_the_older_id(batches: tuple[Any, ...]) -> None:
    daily, last, _ = batches
    first, second, third = "crm:link_1", "shop:link_2", "support:link_3"
    assert third not in daily[-2]
    assert daily[-2][first] != daily[-2][second]
    assert {daily[-1][record] for record in (first, second, third)} == {daily[-2][first]}
    events = last.query(
        f"""select event_type, previous_customer_id from marts.customer_merges
        where build_number = {N_DAYS} and record_id = '{second}'"""
    )
    assert events == [("merge", daily[-2][second])]


def test_the_log_adds_up_to_the_customers_of_every_day(batches: tuple[Any, ...]) -> None:
    daily, last, _ = batches
    for day, expected in enumerate(daily, start=1):
        found = last.query(
            f"""select record_id, arg_max(customer_id, build_number) from marts.customer_merges
            where build_number <= {day} group by record_id"""
        )
        assert dict(found) == expected


# How good it is where the truth is known


def _assert_good(build: Build) -> None:
    scores = {
        (model, metric): value
        for model, metric, value in build.query("select model, metric, value from intermediate.int_identity_metrics")
    }
    for metric, bound in (("pairwise_f1", 0.97), ("bcubed_f1", 0.98)):
        ours = scores["identity_resolution", metric]
        assert ours >= bound, scores
        assert ours > max(scores["baseline_email", metric], scores["baseline_email_or_phone", metric])


def test_the_sample_is_resolved_as_well_as_required(sample_build: Build) -> None:
    _assert_good(sample_build)


def test_a_world_that_nothing_was_tried_on_is_resolved_as_well(
    build_models: Callable[..., Build], tmp_path: Path
) -> None:
    generate(Parameters(customers=2000, seed=211), tmp_path, show_progress=False)
    _assert_good(build_models(tmp_path / "build", "+int_identity_metrics", raw_location=str(tmp_path / "raw")))


@pytest.mark.parametrize(("name", "bound"), [("febrl1", 0.998), ("febrl3", 0.998), ("fake_1000", 0.94)])
def test_a_reference_set_is_resolved_as_well_as_required(
    name: str, bound: float, build_models: Callable[..., Build], tmp_path: Path
) -> None:
    if not (identity_sets.REFERENCE_DATA / identity_sets.REFERENCES[name].path).is_file():
        pytest.skip(f"no reference data in {identity_sets.REFERENCE_DATA} (set CRM_REFERENCE_DATA)")
    prepared = identity_sets.prepare(name, tmp_path)
    build = build_models(
        tmp_path / "build", "+int_customer_sources", raw_location=str(prepared.raw), modules=list(prepared.modules)
    )
    with open_to_read(build.warehouse) as con:
        labels = con.execute(
            """select sources.record_id, sources.customer_id, truth.person_id
            from intermediate.int_customer_sources as sources
            inner join read_csv(?, all_varchar=true) as truth using (source_table, source_key)""",
            [str(prepared.truth)],
        ).df()
    assert len(labels) == (5000 if name == "febrl3" else 1000)
    scores = cluster_metrics(labels).set_index("metric")["value"]
    assert scores["pairwise_f1"] >= bound, scores.to_string()
