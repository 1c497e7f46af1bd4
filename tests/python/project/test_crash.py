"""Killed at any moment, out of disk, not allowed to write: readers see the last good generation, nothing is lost.

A quick version runs with all tests. `make soak` kills fifty times and more, whole builds too, and prints a table.
"""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pytest
from conftest import PII_KEY, ROOT
from faults import BACKUP, PUBLISH, kill_at, run_to_the_end, seen_by_readers, start

from crm_mining.synth import Parameters, generate
from crm_mining.warehouse import backup, connection, keys, masking, publish

SOAK = bool(os.environ.get("CRM_SOAK"))
KILLS = (
    {"publish": 25, "backup": 12, "restore": 12, "part of a build": 6, "whole build": 2}
    if SOAK
    else {"publish": 3, "backup": 2, "restore": 2}
)
POLLS = 1000 if SOAK else 100
ENVIRONMENT = {keys.PII_KEY: PII_KEY, keys.BACKUP_KEY: "b" * 40}
#: Fault, and what came of it: tried, survived, lost.
TABLE: Counter[tuple[str, str]] = Counter()

#: A statement that changes what is published of the small warehouse below.
CHANGE = "update marts.people set id = id + 1000000"


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a warehouse with a published generation and a backup."""
    for name, key in ENVIRONMENT.items():
        monkeypatch.setenv(name, key)
    monkeypatch.delenv(keys.WAREHOUSE_KEY, raising=False)
    file = tmp_path / "warehouse.duckdb"
    with duckdb.connect(str(file)) as con:
        masking.prepare(con)
        con.execute("create schema marts")
        con.execute(
            "create table marts.people as select i as id, 'ann' || i || '@x.de' as email from range(60000) as t(i)"
        )
        con.execute(
            "create table marts.pii_inventory as select 'marts.people' as table_name, 'email' as column_name, "
            "'email' as pii_class, 'pseudonym' as masking"
        )
    run_to_the_end(PUBLISH, file, "0", CHANGE)
    backup.create(file, tmp_path / "backups")
    return file


def _logged(file: Path) -> set[str]:
    with connection.connect(file) as con:
        return {
            said
            for (said,) in con.execute(
                f"select content_hash from {publish.LOG} where table_name = 'marts.people'"
            ).fetchall()
        }


def _count(fault: str, survived: bool) -> None:
    TABLE[fault, "tried"] += 1
    TABLE[fault, "survived" if survived else "lost"] += 1
    print(f"{fault}: {TABLE[fault, 'tried']} tried, {TABLE[fault, 'lost']} lost", flush=True)


def test_a_killed_publish_leaves_the_last_good_generation(file: Path) -> None:
    folder = file.parent / "publish"
    duration = run_to_the_end(PUBLISH, file, "1", CHANGE)
    chance = random.Random(20260101)
    for step in range(KILLS["publish"]):
        before = seen_by_readers(folder)
        kill_at(PUBLISH, file, chance.uniform(0, duration), str(step + 2), CHANGE)
        after = seen_by_readers(folder)
        _count("SIGKILL while publishing", after == before or after[0] > before[0])
        assert after == before or after[1]["marts.people"] in _logged(file)
    run_to_the_end(PUBLISH, file, "1000", CHANGE)
    number, hashes = seen_by_readers(folder)
    assert hashes["marts.people"] in _logged(file)
    assert number == max(publish.generations(folder))
    assert not list((folder / "generations").glob(".building*"))


@pytest.mark.parametrize("verb", ["backup", "restore"])
def test_a_killed_backup_or_restore_loses_nothing(verb: str, file: Path) -> None:
    folder = file.parent / "backups"
    first = backup.names(folder)[0]
    with connection.connect(file) as con:
        good = backup._hashes(con, connection.CATALOG)
    duration = run_to_the_end(BACKUP, file, verb)
    chance = random.Random(7)
    for _ in range(KILLS[verb]):
        kill_at(BACKUP, file, chance.uniform(0, duration), verb)
        with connection.connect(file) as con:
            same = backup._hashes(con, connection.CATALOG) == good
        intact = [backup.verify(folder, name) for name in (first, backup.names(folder)[-1])]
        _count(f"SIGKILL while {verb} runs", same and intact == [len(good)] * 2)
        assert same
    run_to_the_end(BACKUP, file, verb)
    assert not list(file.parent.rglob(".unfinished-*"))


def test_readers_never_see_an_error_or_half_a_generation(file: Path) -> None:
    folder = file.parent / "publish"
    seen: set[str] = set()
    publisher: subprocess.Popen[str] | None = None
    for poll in range(POLLS):
        if publisher is None or publisher.poll() is not None:
            assert publisher is None or publisher.returncode == 0
            publisher = start(PUBLISH, file, str(poll), CHANGE)
        seen.add(seen_by_readers(folder, None if poll % 10 == 0 else 0)[1]["marts.people"])
    assert publisher is not None
    publisher.communicate()
    assert seen <= _logged(file)
    TABLE["reading while others publish", "tried"] += POLLS
    TABLE["reading while others publish", "survived"] += POLLS


@contextmanager
def _mounted(place: Path, options: str) -> Iterator[None]:
    place.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(place)], capture_output=True, check=False
    )
    if done.returncode:
        pytest.skip("mounting a tmpfs is not allowed here")
    try:
        yield
    finally:
        subprocess.run(["umount", str(place)], check=True)


@pytest.mark.parametrize(("fault", "options"), [("disk full", "size=1m"), ("read-only folder", "ro")])
def test_no_room_or_no_right_is_an_error_and_nothing_else(
    fault: str, options: str, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = file.read_bytes()
    with _mounted(file.parent / "small", options):
        attempts: dict[str, Callable[[], object]] = {
            "publish": lambda: publish.publish(
                con, file.parent / "small", ["marts.people"], publish.Run("r", "2026-01-01 10:00:00", "c"), keep=3
            ),
            "backup": lambda: backup.create(file, file.parent / "small"),
        }
        with duckdb.connect(str(file)) as con:
            masking.prepare(con)
            with pytest.raises((duckdb.Error, OSError)):
                attempts["publish"]()
        assert publish.current_generation(file.parent / "small") is None
        with pytest.raises((duckdb.Error, OSError)):
            attempts["backup"]()
        assert backup.names(file.parent / "small") == []
    for verb in attempts:
        _count(f"{fault}, {verb}", True)
    with connection.connect(file) as con:
        assert con.execute("select count(*) from marts.people").fetchall() == [(60000,)]
    assert len(before) <= file.stat().st_size
    seen_by_readers(file.parent / "publish")
    run_to_the_end(PUBLISH, file, "1", CHANGE)


def test_a_restore_into_a_full_disk_leaves_the_warehouse(file: Path) -> None:
    name = backup.names(file.parent / "backups")[0]
    with _mounted(file.parent / "small", f"size={file.stat().st_size + 1_000_000}"):
        inside = file.parent / "small" / "warehouse.duckdb"
        shutil.copy(file, inside)
        before = inside.read_bytes()
        with pytest.raises((duckdb.Error, OSError)):
            backup.restore(file.parent / "backups", name, inside)
        assert inside.read_bytes() == before
    _count("disk full, restore", True)


@dataclass
class World:
    """A small world, and dbt commands on a warehouse of it."""

    raw: Path
    file: Path
    seconds: float = 0

    def start(self, *selection: str) -> subprocess.Popen[str]:
        """Start a build in a process group of its own."""
        return subprocess.Popen(
            [
                str(Path(sys.executable).parent / "dbt"), "build", "--quiet", "--exclude-resource-type", "unit_test",
                "--target-path", str(self.raw.parent / "target"), "--log-path", str(self.raw.parent / "logs"),
                "--vars", json.dumps({"raw_location": str(self.raw)}), *selection,
            ],
            cwd=ROOT, start_new_session=True, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            env={
                **os.environ, "CRM_WAREHOUSE": str(self.file), "CRM_PUBLISH": str(self.raw.parent / "publish"),
                "DBT_PROJECT_DIR": str(ROOT), "DBT_PROFILES_DIR": str(ROOT),
            },
        )  # fmt: skip

    def build(self, *selection: str) -> float:
        """Run a build that must succeed, and give its seconds."""
        begun = time.monotonic()
        process = self.start(*selection)
        output, _ = process.communicate()
        assert process.returncode == 0, output[-3000:]
        return time.monotonic() - begun

    def kill(self, after: float, *selection: str) -> None:
        """Kill a build, and all that it started, n seconds after its start."""
        process = self.start(*selection)
        time.sleep(after)
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()

    def published(self) -> dict[str, str]:
        """Give what readers see, compared with its log."""
        return seen_by_readers(self.raw.parent / "publish")[1]

    def accepted(self) -> set[tuple[str, ...]]:
        """Give what must not be lost: which record was accepted as whose, and every decision about it."""
        with connection.connect(self.file) as con:
            return {
                *con.execute("select record_id, customer_id from marts.customer_sources").fetchall(),
                *con.execute("select merge_event_id, customer_id from marts.customer_merges").fetchall(),
            }


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """Make a small world, build it as a whole and publish it."""
    os.environ.update(ENVIRONMENT)
    folder = tmp_path_factory.mktemp("soak")
    generate(Parameters(customers=60, seed=5), folder)
    made = World(folder / "raw", folder / "warehouse.duckdb")
    made.seconds = made.build()
    print(f"a whole build of 60 customers: {made.seconds:.0f} s", flush=True)
    return made


#: Identity is what a build decides and keeps; raw tables, cleaning and matching come before it.
PART = (
    "--resource-type", "model", "--resource-type", "seed",
    "--select", "+dim_customers", "+customer_sources", "+customer_merges",
)  # fmt: skip


@pytest.mark.skipif(not SOAK, reason="builds are killed by `make soak`")
@pytest.mark.parametrize(("fault", "selection"), [("part of a build", PART), ("whole build", ())])
def test_a_killed_build_leaves_what_is_published_and_the_next_one_succeeds(
    fault: str, selection: tuple[str, ...], world: World
) -> None:
    good, accepted = world.published(), world.accepted()
    duration = world.build(*selection) if selection else world.seconds
    chance = random.Random(11)
    for _ in range(KILLS[fault]):
        world.kill(chance.uniform(0.1, 1.0) * duration, *selection)
        seen = world.published()  # whole in itself; another one only where a whole build was about to end
        survived = seen == good or not selection
        world.build(*selection)
        survived = survived and world.accepted() >= accepted
        _count(f"SIGKILL while a {fault} runs", survived)
        assert survived
        good = world.published()


@pytest.mark.skipif(not SOAK, reason="whole builds after kills: one in test_second_build.py, more by `make soak`")
@pytest.mark.parametrize("fault", ["publish", "backup", "restore"])
def test_the_next_build_after_a_kill_succeeds_and_readers_see_whole_generations(fault: str, world: World) -> None:
    accepted = world.accepted()
    if fault != "publish":
        backup.create(world.file, world.file.parent / "backups")
    arguments = ("1", "update marts.dim_products set product_name = product_name || '!'")
    script, arguments = (PUBLISH, arguments) if fault == "publish" else (BACKUP, (fault,))
    chance = random.Random(13)
    for _ in range(2):
        kill_at(script, world.file, chance.uniform(0, 2), *arguments)
        assert world.accepted() == accepted
        process, polls = world.start(), 0
        while process.poll() is None:
            seen_by_readers(world.raw.parent / "publish", 1)
            polls += 1
        output, _ = process.communicate()
        assert process.returncode == 0, output[-3000:]
        _count(f"whole build after SIGKILL while {fault} runs", world.accepted() >= accepted)
        assert world.accepted() >= accepted
        assert world.published()
        for said in ("tried", "survived"):
            TABLE["reading while whole builds run", said] += polls


@pytest.mark.skipif(not SOAK, reason="builds run out of disk by `make soak`")
def test_a_build_without_room_or_right_says_so_and_the_next_one_succeeds(world: World, tmp_path: Path) -> None:
    good = world.published()
    with _mounted(tmp_path / "small", "size=1m"):
        small = World(world.raw, tmp_path / "small" / "warehouse.duckdb")
        for fault, options, mended in (
            ("disk full", None, "remount,size=1g"),
            ("read-only folder", "remount,ro", "remount,rw"),
        ):
            if options:
                subprocess.run(["mount", "-o", options, str(tmp_path / "small")], check=True)
            process = small.start(*PART)
            output, _ = process.communicate()
            assert process.returncode != 0
            assert "No space left" in output or "ead-only" in output, output[-3000:]
            survived = world.published() == good
            subprocess.run(["mount", "-o", mended, str(tmp_path / "small")], check=True)
            small.build(*PART)
            _count(f"{fault}, build", survived and set() < small.accepted() <= world.accepted())


def test_the_table_of_faults(capsys: pytest.CaptureFixture[str]) -> None:
    """Print what was tried; every fault was survived."""
    faults = sorted({fault for fault, _ in TABLE})
    lines = ["| fault | tried | survived | lost |", "| --- | ---: | ---: | ---: |"]
    lines += [
        f"| {fault} | " + " | ".join(str(TABLE[fault, said]) for said in ("tried", "survived", "lost")) + " |"
        for fault in faults
    ]
    if SOAK:
        with capsys.disabled():
            print("\n" + "\n".join(lines))
    assert [fault for fault in faults if TABLE[fault, "lost"]] == []
