"""Progress that reaches both the console and dbt's log."""

import time

from dbt_common.events.base_types import EventLevel
from dbt_common.events.functions import fire_event
from dbt_common.events.types import Note


class Progress:
    """Say how far a long step is, at most once in five seconds.

    Parameters
    ----------
    what : str
        What is being done, in words: "phone numbers parsed".
    total : int
        How many there are in all.
    """

    def __init__(self, what: str, total: int) -> None:
        self.what = what
        self.total = total
        self.started = self.reported = time.monotonic()

    def update(self, done: int) -> None:
        """Report that ``done`` of the total are finished, if five seconds have passed since the last report."""
        now = time.monotonic()
        if now - self.reported < 5 or done == 0:
            return
        self.reported = now
        left = (now - self.started) / done * (self.total - done)
        fire_event(Note(msg=f"{done:,} of {self.total:,} {self.what}, {left:.0f} s left"), EventLevel.INFO)
