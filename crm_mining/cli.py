"""The command ``crm``: what is done with a warehouse besides building it.

Each command imports what it needs when it runs, so that ``crm --help`` answers at once. An error that a user can mend
is one sentence on standard error and exit code 2.
"""

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Command:
    """One command.

    Parameters
    ----------
    help : str
        What it does, in one line.
    arguments : callable
        Adds its arguments to a parser; called for the command that was asked for only.
    run : callable
        Does it, given the parsed arguments.
    """

    help: str
    arguments: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], None]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command.

    Parameters
    ----------
    arguments : sequence of str, optional
        Of the command line; those of the process by default.

    Returns
    -------
    int
        The exit code: 0, or 2 after an error.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    parser = argparse.ArgumentParser(
        prog="crm", description="Report on, publish, back up, export and imitate a CRM warehouse."
    )
    parsers = parser.add_subparsers(dest="command", required=True, metavar="command")
    for name, command in COMMANDS.items():
        own = parsers.add_parser(name, help=command.help, description=f"{command.help[0].upper()}{command.help[1:]}.")
        if words[:1] == [name]:
            command.arguments(own)
    given = parser.parse_args(words)
    try:
        COMMANDS[given.command].run(given)
    except Exception as error:
        if not isinstance(error, _expected_errors()):
            raise
        print(str(error).partition("\n")[0], file=sys.stderr)
        return 2
    return 0


def _expected_errors() -> tuple[type[Exception], ...]:
    """Give those that a user can mend: a path, a value, a key, a warehouse that somebody else holds."""
    import duckdb

    from crm_mining.warehouse.backup import BackupError
    from crm_mining.warehouse.lock import LockedError

    return OSError, ValueError, BackupError, LockedError, duckdb.IOException


def _warehouse(parser: argparse.ArgumentParser) -> None:
    default = Path(os.environ.get("CRM_WAREHOUSE", "warehouse.duckdb"))
    parser.add_argument("--warehouse", type=Path, default=default, help="the file of a build (default %(default)s)")


def _personal_data(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--show-personal-data", action="store_true", help="persons in clear, not masked")


def _report_arguments(parser: argparse.ArgumentParser) -> None:
    _warehouse(parser)
    parser.add_argument("--truth", type=Path, help="truth folder of a synthetic world; the sample's where it was built")
    parser.add_argument("--out", type=Path, default=Path("target/report.html"), help="the page (default %(default)s)")
    _personal_data(parser)


def _report(given: argparse.Namespace) -> None:
    from crm_mining.reporting.fault_report import false_alarm_share, faults_as_text
    from crm_mining.reporting.report import known_truth, write_report

    truth = given.truth or known_truth(given.warehouse, Path("seeds/sample/truth"))
    faults = write_report(given.warehouse, given.out, truth, show_personal_data=given.show_personal_data)
    if faults is not None and truth:
        print(faults_as_text(faults, false_alarm_share(given.warehouse, truth)))
    print(f"The page: {given.out}")


def _publish_arguments(parser: argparse.ArgumentParser) -> None:
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="verb")
    _warehouse(verbs.add_parser("list", help="the generations that are kept; * is what readers see"))
    back = verbs.add_parser("rollback", help="show the generation before, or the one given")
    back.add_argument("generation", type=int, nargs="?")
    _warehouse(back)


def _publish(given: argparse.Namespace) -> None:
    from crm_mining.warehouse import publish
    from crm_mining.warehouse.lock import locked

    folder = publish.default_folder(given.warehouse)
    if given.verb == "rollback":
        with locked(given.warehouse):
            print(f"{folder / publish.PUBLISHED} is generation {publish.rollback(folder, given.generation)} again")
    else:
        for number in publish.generations(folder):
            print(f"{'*' if number == publish.current_generation(folder) else ' '} {number}")


def _backup_arguments(parser: argparse.ArgumentParser) -> None:
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="verb")
    backups = Path(os.environ.get("CRM_BACKUPS", "backups"))
    for verb, said in (
        ("create", "copy the warehouse, encrypted and signed"),
        ("list", "what is kept"),
        ("verify", "restore it into a scratch place and compare every table"),
        ("restore", "swap it in"),
        ("prune", "remove old backups"),
    ):
        own = verbs.add_parser(verb, help=said)
        _warehouse(own)
        own.add_argument("--folder", type=Path, default=backups, help="where backups are (default %(default)s)")
        if verb in ("verify", "restore"):
            own.add_argument("name", nargs="?", help="the newest when left out")
        if verb == "prune":
            own.add_argument("--keep", type=int, default=7, help="the newest n stay, however old (default %(default)s)")
            own.add_argument("--days", type=int, default=30, help="all younger ones stay (default %(default)s)")


def _backup(given: argparse.Namespace) -> None:
    from crm_mining.warehouse import backup

    folder: Path = given.folder
    name = getattr(given, "name", None) or next(iter(backup.names(folder)[::-1]), "")
    if given.verb == "create":
        print(f"backup {backup.create(given.warehouse, folder)} in {folder}")
    elif given.verb == "list":
        print("\n".join(backup.describe(folder, kept) for kept in backup.names(folder)) or f"no backups in {folder}")
    elif given.verb == "verify":
        print(f"backup {name}: {backup.verify(folder, name)} tables as they were")
    elif given.verb == "restore":
        before = backup.restore(folder, name, given.warehouse)
        print(f"{given.warehouse} is backup {name} again" + (f"; what stood there is {before}" if before else ""))
    else:
        print(f"removed: {', '.join(backup.prune(folder, given.keep, given.days)) or 'nothing'}")


def _export_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("tables", nargs="*", help="names of marts; all when left out")
    _warehouse(parser)
    parser.add_argument("--out", type=Path, default=Path("target/export"), help="a folder (default %(default)s)")
    _personal_data(parser)


def _export(given: argparse.Namespace) -> None:
    from crm_mining.warehouse.export import export_marts

    files = export_marts(given.warehouse, given.out, given.tables, show_personal_data=given.show_personal_data)
    print(f"{len(files)} files in {given.out}")


def _samples_arguments(parser: argparse.ArgumentParser) -> None:
    _warehouse(parser)
    page = Path("docs/marts_of_the_sample.md")
    parser.add_argument("--out", type=Path, default=page, help="the page (default %(default)s)")


def _samples(given: argparse.Namespace) -> None:
    from crm_mining.reporting.mart_samples import sample_page

    page = sample_page(given.warehouse)
    given.out.parent.mkdir(parents=True, exist_ok=True)
    given.out.write_text(page, encoding="utf-8")
    print(f"The page: {given.out}")


def _synth_arguments(parser: argparse.ArgumentParser) -> None:
    from crm_mining.synth import Parameters
    from crm_mining.synth.writer import FORMATS

    usual = Parameters()
    for option, kind, default, said in (
        ("--customers", int, usual.customers, "number of persons"),
        ("--seed", int, usual.seed, "whole number from 0"),
        ("--activity", float, usual.activity, "factor of all order rates"),
        ("--fault-rate", float, usual.fault_rate, "share of faulty person records"),
    ):
        parser.add_argument(option, type=kind, default=default, help=f"{said} (default %(default)s)")
    parser.add_argument("--format", choices=FORMATS, default="csv", help="kind of files (default %(default)s)")
    parser.add_argument("--out", type=Path, required=True, help="directory to write raw/ and truth/ into")


def _synth(given: argparse.Namespace) -> None:
    from crm_mining.synth import Parameters, generate

    generate(Parameters(given.customers, given.seed, given.activity, given.fault_rate), given.out, given.format)


COMMANDS = {
    "report": Command("write the state of the data as one page", _report_arguments, _report),
    "publish": Command("list what is published, or go back to an earlier generation", _publish_arguments, _publish),
    "backup": Command("make, check, restore and prune encrypted backups of the warehouse", _backup_arguments, _backup),
    "export": Command("write marts as CSV files that a spreadsheet takes for no formula", _export_arguments, _export),
    "samples": Command("write ten rows of every mart as one page", _samples_arguments, _samples),
    "synth": Command("write a synthetic CRM world and its truth", _synth_arguments, _synth),
}
