"""Person records with a known truth, in the raw contract: FEBRL 1-3 and fake_1000 as a CRM's contacts.

Columns are renamed and dates written with dashes, nothing else: cleaning is the warehouse's work. Command line:
``python benchmarks/identity_sets.py --out FOLDER``.
"""

import argparse
import csv
import os
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]
REFERENCE_DATA = Path(os.environ.get("CRM_REFERENCE_DATA") or PROJECT.parent / "shared" / "data")

FEBRL_COLUMNS = {
    "given_name": "first_name",
    "surname": "last_name",
    "street_number": "street_number",
    "address_1": "street",
    "address_2": "address_line_2",
    "suburb": "city",
    "postcode": "postcode",
    "state": "region",
    "date_of_birth": "birth_date",
    "soc_sec_id": "national_id",
}
FAKE_COLUMNS = {
    "first_name": "first_name",
    "surname": "last_name",
    "dob": "birth_date",
    "city": "city",
    "email": "email",
}
# The other tables of the module, empty: their required columns.
EMPTY_TABLES = {
    "opportunities": ["opportunity_id", "contact_id", "created_at", "stage"],
    "opportunity_stages": ["opportunity_id", "stage", "entered_at"],
}


@dataclass(frozen=True)
class Reference:
    """Where a reference set stands and what its columns are called.

    Parameters
    ----------
    path : str
        The CSV file, below the folder of the reference data.
    columns : mapping
        Column of the file to column of the contract.
    country : str
        ISO 3166-1 alpha-2 code that all records get.
    truth : str
        The column that holds the truth; in FEBRL's ``rec-17-dup-0`` the person is 17.
    """

    path: str
    columns: Mapping[str, str]
    country: str
    truth: str


REFERENCES = {
    **{f"febrl{n}": Reference(f"febrl/dataset{n}.csv", FEBRL_COLUMNS, "AU", "rec_id") for n in (1, 2, 3)},
    "fake_1000": Reference("splink/fake_1000.csv", FAKE_COLUMNS, "GB", "cluster"),
}


@dataclass(frozen=True)
class IdentitySet:
    """Raw tables of person records with the truth about them.

    Parameters
    ----------
    name : str
        Name for the result.
    raw : Path
        Folder for the dbt var ``raw_location``.
    truth : Path
        File with ``source_table, source_key, person_id``, CSV or Parquet.
    modules : tuple of str
        Modules that the raw folder holds, for the dbt var ``modules``.
    """

    name: str
    raw: Path
    truth: Path
    modules: tuple[str, ...]


def prepare(name: str, out: Path, reference_data: Path = REFERENCE_DATA) -> IdentitySet:
    """Make a set ready.

    Parameters
    ----------
    name : str
        One of ``REFERENCES``, or ``synth:<folder>`` for a world that ``crm synth`` wrote.
    out : Path
        Folder to write ``<name>/raw`` and ``<name>/truth`` below; a synthetic world stays where it is.
    reference_data : Path
        Folder of the reference data.

    Returns
    -------
    IdentitySet

    Raises
    ------
    FileNotFoundError
        When the source or its truth is missing.
    ValueError
        When the name is unknown or the file's columns are others.
    """
    if name.startswith("synth:"):
        return _synthetic(Path(name.removeprefix("synth:")).resolve())
    if name not in REFERENCES:
        raise ValueError(f"unknown set {name!r}; known are {', '.join(REFERENCES)} and synth:<folder>")
    reference = REFERENCES[name]
    source = reference_data / reference.path
    if not source.is_file():
        raise FileNotFoundError(f"no reference data: {source} (set CRM_REFERENCE_DATA)")
    with source.open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file, skipinitialspace=True)  # FEBRL separates by a comma and a blank
        missing = {*reference.columns, reference.truth} - set(reader.fieldnames or ())
        if missing:
            raise ValueError(f"{source} lacks the columns {sorted(missing)}")
        records = list(reader)
    random.Random(17).shuffle(records)  # neither order nor key may tell which records were made from one person
    contacts, truth = [], []
    for number, record in enumerate(records, start=1):
        contact_id = f"{number:06d}"
        values = [_value(target, record[column]) for column, target in reference.columns.items()]
        contacts.append([contact_id, *values, reference.country])
        truth.append(["crm.contacts", contact_id, _person(record[reference.truth])])
    folder = out / name
    header = ["contact_id", *reference.columns.values(), "country"]
    _write(folder / "raw" / "crm" / "contacts.csv", header, contacts)
    for table, columns in EMPTY_TABLES.items():
        _write(folder / "raw" / "crm" / f"{table}.csv", columns, [])
    truth_file = folder / "truth" / "record_persons.csv"
    _write(truth_file, ["source_table", "source_key", "person_id"], truth)
    return IdentitySet(name, folder / "raw", truth_file, ("crm",))


def _synthetic(folder: Path) -> IdentitySet:
    truths = sorted((folder / "truth").glob("record_persons.*"))
    modules = tuple(sorted(path.name for path in (folder / "raw").glob("*") if path.is_dir()))
    if not truths or not modules:
        raise FileNotFoundError(f"{folder} holds no world: crm synth --out {folder} makes one")
    return IdentitySet(f"synth:{folder.name}", folder / "raw", truths[0], modules)


def _value(column: str, value: str) -> str:
    if column == "birth_date" and len(value) == 8 and value.isdigit():
        return f"{value[:4]}-{value[4:6]}-{value[6:]}"
    return value


def _person(truth: str) -> str:
    """Person of a FEBRL key (``rec-17-org``, ``rec-17-dup-0``) or of a plain cluster number."""
    return truth.split("-")[1] if truth.startswith("rec-") else truth


def _write(path: Path, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)


def main() -> None:
    """Write the reference sets."""
    parser = argparse.ArgumentParser(description="Write the reference sets in the raw contract, with their truth.")
    parser.add_argument("--out", type=Path, required=True, help="folder to write <set>/raw and <set>/truth into")
    parser.add_argument("--sets", nargs="+", default=list(REFERENCES), choices=list(REFERENCES))
    arguments = parser.parse_args()
    for name in arguments.sets:
        print(prepare(name, arguments.out).raw)


if __name__ == "__main__":
    main()
