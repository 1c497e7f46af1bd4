"""One holder of the warehouse file at a time, and it says who it is."""

import contextlib
import fcntl
import json
import os
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import ClassVar

#: What a second build does: wait for the first, or end at once.
WHEN_LOCKED = ("wait", "end")


class LockedError(RuntimeError):
    """Another process holds the warehouse."""


class Lock:
    """A lock file beside the warehouse. The system gives it up when its holder ends, however it ends.

    Parameters
    ----------
    warehouse : Path
        The file that is locked; the lock is ``<file>.lock`` and holds the holder's process id and start.
    """

    #: Descriptors of the locks that this process holds: it never waits for itself.
    _held: ClassVar[dict[Path, int]] = {}

    def __init__(self, warehouse: Path) -> None:
        self.warehouse = warehouse.resolve()
        self.path = self.warehouse.with_name(warehouse.name + ".lock")

    def acquire(self, when_locked: str = "wait", say: Callable[[str], None] = print) -> None:
        """Take the lock.

        Parameters
        ----------
        when_locked : str
            ``wait`` for the holder to end, or ``end`` at once.
        say : callable
            Called with a message on who holds it, at the beginning of the wait and every minute.

        Raises
        ------
        LockedError
            When it is held and ``when_locked`` is ``end``.
        ValueError
            When ``when_locked`` is neither.
        """
        if when_locked not in WHEN_LOCKED:
            raise ValueError(f"when_locked must be {' or '.join(WHEN_LOCKED)}; it is `{when_locked}`")
        if self.path in self._held:
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        waited = 0.0
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except OSError as error:
                holder = f"{self.warehouse} is held by {self._holder()}"
                if when_locked == "end":
                    os.close(file)
                    raise LockedError(
                        f"{holder}; let it end, or wait for it with --vars '{{when_locked: wait}}'"
                    ) from error
                if waited % 60 == 0:
                    say(f"{holder}; waiting")
                time.sleep(0.5)
                waited += 0.5
        said = {"pid": os.getpid(), "since": datetime.now(UTC).isoformat(timespec="seconds")}
        os.ftruncate(file, 0)
        os.pwrite(file, json.dumps(said).encode(), 0)
        self._held[self.path] = file

    def release(self) -> None:
        """Give the lock up; without it do nothing. The file stays: removing it would let two in."""
        file = self._held.pop(self.path, None)
        if file is not None:
            os.close(file)

    def _holder(self) -> str:
        try:
            said = json.loads(self.path.read_text(encoding="utf-8"))
            return f"process {said['pid']} since {said['since']}"
        except (OSError, ValueError, KeyError, TypeError):
            return "another process"


@contextlib.contextmanager
def locked(warehouse: Path, when_locked: str = "end") -> Iterator[None]:
    """Hold the warehouse for a while."""
    lock = Lock(warehouse)
    lock.acquire(when_locked)
    try:
        yield
    finally:
        lock.release()
