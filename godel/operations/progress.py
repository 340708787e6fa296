"""How far a long work is: a bar on a terminal, a line now and then elsewhere.

Without a library for it: the daemon's process does not pay for one.
"""

from __future__ import annotations

from collections.abc import Callable

from godel.clock import Clock

BAR_WIDTH = 30
REDRAW_MS = 100.0
LINE_MS = 5_000.0
CLEAR_LINE = "\r\x1b[K"
UNITS = ("B", "KiB", "MiB", "GiB", "TiB")


class Progress:
    """Counts bytes and tells of them through `write`, which takes text as it is."""

    def __init__(
        self, title: str, *, write: Callable[[str], object], is_terminal: bool, clock: Clock
    ) -> None:
        self._title = title
        self._write = write
        self._is_terminal = is_terminal
        self._clock = clock
        self._done_bytes = 0
        self._total_bytes = 0
        self._is_drawn = False
        self._next_ms = clock.monotonic_ms() + (0.0 if is_terminal else LINE_MS)

    def expect(self, total_bytes: int) -> None:
        """So many bytes more are to be done."""
        self._total_bytes += total_bytes

    def advance(self, done_bytes: int) -> None:
        self._done_bytes += done_bytes
        now_ms = self._clock.monotonic_ms()
        if now_ms < self._next_ms:
            return
        if self._is_terminal:
            self._next_ms = now_ms + REDRAW_MS
            self._is_drawn = True
            self._write(f"\r{self._bar()}")
        else:
            self._next_ms = now_ms + LINE_MS
            self._write(f"{self._figures()}\n")

    def say(self, line: str) -> None:
        """A line of its own, above the bar."""
        self.clear()
        self._write(f"{line}\n")

    def clear(self) -> None:
        """Take the bar away."""
        if self._is_drawn:
            self._is_drawn = False
            self._write(CLEAR_LINE)

    def _share(self) -> float:
        return min(self._done_bytes / self._total_bytes, 1.0) if self._total_bytes else 1.0

    def _bar(self) -> str:
        filled = int(self._share() * BAR_WIDTH)
        return f"[{'#' * filled}{'.' * (BAR_WIDTH - filled)}] {self._figures()}"

    def _figures(self) -> str:
        done, total = size_text(self._done_bytes), size_text(self._total_bytes)
        return f"{self._title}: {self._share():.0%}, {done} of {total}"


def size_text(size_bytes: int) -> str:
    """A size as people read it."""
    size, number = float(size_bytes), 0
    while size >= 1024 and number < len(UNITS) - 1:
        size /= 1024
        number += 1
    return f"{size:.0f} {UNITS[number]}" if number == 0 else f"{size:.1f} {UNITS[number]}"
