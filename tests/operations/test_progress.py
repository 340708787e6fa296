"""The progress of long work, drawn or told."""

from __future__ import annotations

import pytest

from godel.clock import ManualClock
from godel.operations.progress import Progress, size_text


def progress(clock: ManualClock, written: list[str], *, is_terminal: bool) -> Progress:
    shown = Progress("checked", write=written.append, is_terminal=is_terminal, clock=clock)
    shown.expect(4 << 20)
    return shown


def test_a_bar_on_a_terminal_is_redrawn_now_and_then() -> None:
    clock, written = ManualClock(), list[str]()
    shown = progress(clock, written, is_terminal=True)
    for _ in range(3):
        shown.advance(1 << 20)
    assert written == [f"\r[{'#' * 7}{'.' * 23}] checked: 25%, 1.0 MiB of 4.0 MiB"]
    clock.advance(100)
    shown.advance(1 << 20)
    assert written[1:] == [f"\r[{'#' * 30}] checked: 100%, 4.0 MiB of 4.0 MiB"]
    shown.clear()
    assert written[2:] == ["\r\x1b[K"]


def test_lines_elsewhere_and_none_for_short_work() -> None:
    clock, written = ManualClock(), list[str]()
    shown = progress(clock, written, is_terminal=False)
    shown.advance(1 << 20)
    assert written == []
    clock.advance(5_000)
    shown.advance(1 << 20)
    shown.clear()
    assert written == ["checked: 50%, 2.0 MiB of 4.0 MiB\n"]


def test_a_line_comes_above_the_bar() -> None:
    written = list[str]()
    shown = progress(ManualClock(), written, is_terminal=True)
    shown.advance(1)
    shown.say("repaired")
    assert written[1:] == ["\r\x1b[K", "repaired\n"]


@pytest.mark.parametrize(
    ("size_bytes", "text"), [(0, "0 B"), (1023, "1023 B"), (1536, "1.5 KiB"), (3 << 40, "3.0 TiB")]
)
def test_sizes(size_bytes: int, text: str) -> None:
    assert size_text(size_bytes) == text
