"""Progress is for terminals, and for what takes a while."""

from __future__ import annotations

import pytest

from godel.cli.progress import QUIET_MS, Moving, progress
from godel.clock import ManualClock


def test_a_pipe_gets_none(capsys: pytest.CaptureFixture[str]) -> None:
    with progress("working", clock=ManualClock()) as shown:
        shown.expect(10)
        shown.update(5, 10)
    assert capsys.readouterr().err == ""


def test_what_is_done_soon_gets_none(capsys: pytest.CaptureFixture[str]) -> None:
    clock = ManualClock()
    moving = Moving("working", clock)
    clock.advance(QUIET_MS - 1)
    moving.update(5, 10)
    moving.end()
    assert capsys.readouterr().err == ""


def test_the_rest_tells_how_far_and_how_fast() -> None:
    clock = ManualClock()
    moving = Moving("working", clock)
    moving.expect(20)
    clock.advance(2_000)
    moving.update(10, 2048)
    (task,) = moving.bar.tasks
    assert (task.completed, task.total) == (10, 20)
    assert task.fields["done"] == "10 records, 2.0 KiB, 5 records/s"
    moving.end()
