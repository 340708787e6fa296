"""Progress on standard error: a line that moves on a terminal, nothing in a pipe."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from godel.cli.output import size
from godel.clock import Clock

QUIET_MS = 500
"""What is done sooner needs no progress."""


class Progress(Protocol):
    """What a command tells how far it is."""

    def expect(self, records: int) -> None:
        """So many in the end: for a bar."""

    def update(self, records: int, size_bytes: int) -> None:
        """So many in all, up to now."""


class Silent:
    """Progress where nobody looks."""

    def expect(self, records: int) -> None:
        pass

    def update(self, records: int, size_bytes: int) -> None:
        pass


class Moving:
    """Progress on a terminal."""

    def __init__(self, what: str, clock: Clock) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, TaskProgressColumn, TextColumn
        from rich.progress import Progress as Bar

        self.bar = Bar(
            TextColumn(what),
            TextColumn("{task.fields[done]}"),
            BarColumn(bar_width=30),
            TaskProgressColumn(),
            console=Console(stderr=True),
            transient=True,
        )
        self.task = self.bar.add_task(what, total=None, done="")
        self._clock = clock
        self._began_ms = clock.monotonic_ms()
        self._is_shown = False

    def expect(self, records: int) -> None:
        self.bar.update(self.task, total=records)

    def update(self, records: int, size_bytes: int) -> None:
        elapsed_ms = self._clock.monotonic_ms() - self._began_ms
        if elapsed_ms < QUIET_MS:
            return
        if not self._is_shown:
            self.bar.start()
            self._is_shown = True
        rate = records * 1000 / elapsed_ms
        done = f"{records:,} records, {size(size_bytes)}, {rate:,.0f} records/s"
        self.bar.update(self.task, completed=records, done=done)

    def end(self) -> None:
        if self._is_shown:
            self.bar.stop()


@contextmanager
def progress(what: str, *, clock: Clock, quiet: bool = False) -> Iterator[Progress]:
    """Progress of something, with a share of the whole once that is known."""
    if quiet or not sys.stderr.isatty():
        yield Silent()
        return
    moving = Moving(what, clock)
    try:
        yield moving
    finally:
        moving.end()
